/** Values in JavaScript's memory that go into or come out of a compiled function. */
export type HostTensor =
  | { dtype: 'float32'; shape: number[]; data: Float32Array }
  | { dtype: 'int32'; shape: number[]; data: Int32Array }
  | { dtype: 'bool'; shape: number[]; data: Uint8Array }

/** @param shape Default: a vector. */
export function float32(
  values: ArrayLike<number>,
  shape: number[] = [values.length],
): HostTensor & { dtype: 'float32' } {
  const data = values instanceof Float32Array ? values : Float32Array.from(values)
  checkSize('float32', data.length, shape)
  return { dtype: 'float32', shape, data }
}

/** @param shape Default: a vector. */
export function int32(values: ArrayLike<number>, shape: number[] = [values.length]): HostTensor & { dtype: 'int32' } {
  const data = values instanceof Int32Array ? values : Int32Array.from(values)
  checkSize('int32', data.length, shape)
  return { dtype: 'int32', shape, data }
}

function checkSize(operation: string, length: number, shape: number[]): void {
  const size = shape.reduce((product, dim) => product * dim, 1)
  if (size !== length) {
    throw new Error(`${operation}: shape [${shape.join(', ')}] holds ${size} values, got ${length}`)
  }
}
