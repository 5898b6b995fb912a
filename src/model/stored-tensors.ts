import type { TensorSource } from './safetensors.js'

/** One weight by our key (see weight-names.ts). */
export interface NamedTensor {
  key: string
  shape: readonly number[]
  data: Float32Array
}

/** Where the weights of a checkpoint or an adapter are. */
export interface Stored {
  open(): Promise<TensorSource>
  /** What a weight is called there. */
  name(key: string): string
}

/** All tensors of these shapes, one at a time. */
export async function* readTensors(shapes: Record<string, number[]>, stored: Stored): AsyncGenerator<NamedTensor> {
  const source = await stored.open()
  try {
    for (const [key, shape] of Object.entries(shapes)) {
      yield { key, shape, data: await source.read(stored.name(key)) }
    }
  } finally {
    await source.close()
  }
}

/** Which tensors are missing or have another shape. */
export function shapeProblems(
  shapes: Record<string, number[]>,
  { name }: Pick<Stored, 'name'>,
  { shapes: found }: Pick<TensorSource, 'shapes'>,
): string[] {
  return Object.entries(shapes).flatMap(([key, shape]) => {
    const has = found.get(name(key))
    if (!has) return [`'${name(key)}' is missing`]
    return has.join() === shape.join() ? [] : [`'${name(key)}' should be [${shape.join(', ')}], is [${has.join(', ')}]`]
  })
}

/** The first three of them, and how many more there are. */
export function firstOf(problems: readonly string[]): string {
  const more = problems.length > 3 ? `, and ${problems.length - 3} more` : ''
  return problems.slice(0, 3).join(', ') + more
}
