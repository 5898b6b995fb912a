import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { backend, dtypeNumber, native } from './runtime.js'
import type { TensorInfo } from './runtime.js'
import { attribute, currentTrace, runOp } from './trace.js'

let counter = 0

/** How a variable keeps its values. What is narrower than float32 is float32 wherever it is read or assigned. */
export type StoredType = 'float32' | 'int32' | 'bfloat16' | 'int8' | 'uint8'

/** Bytes of one value. */
export const storedBytes: Record<StoredType, number> = { float32: 4, int32: 4, bfloat16: 2, int8: 1, uint8: 1 }

/**
 * State that lives on the device and that compiled functions read and change in place: weights, optimizer state,
 * caches. It has no value until the first `assign`.
 */
export class Variable {
  private handle: number | undefined

  /** How often the value may have been changed so far: whoever made something of it sees by it whether that is out of date. */
  changes = 0

  /**
   * @param shape Fixed; a dimension of -1 may be any, and only ops that are given the value's id may use it.
   * @param dtype Default float32.
   * @param name Shown in errors.
   */
  constructor(
    readonly shape: readonly number[],
    readonly dtype: StoredType = 'float32',
    readonly name: string = 'variable',
  ) {
    const attributes = [
      attribute.type('dtype', dtype),
      { name: 'shape', type: native.TF_ATTR_SHAPE, value: [...shape] },
      { name: 'shared_name', type: native.TF_ATTR_STRING, value: `zerosearch-${counter++}` },
    ]
    this.handle = native.executeOp('VarHandleOp', attributes, [], 1)[0]!.id
  }

  /** The native handle. Throws after `dispose`. */
  get id(): number {
    if (this.handle === undefined) throw new Error(`variable ${this.name}: used after dispose`)
    return this.handle
  }

  get size(): number {
    return this.shape.reduce((product, dim) => product * dim, 1)
  }

  /** The value; inside of a compiled function as it is at that point of the function. */
  read(): TensorFlow.Tensor {
    const trace = currentTrace()
    const [info] = runOp('ReadVariableOp', [attribute.type('dtype', this.dtype)], [this.symbol()], 1)
    trace?.setShape(info!.id, [...this.shape])
    const value = { id: info!.id, dtype: dtypeNumber[this.dtype], shape: [...this.shape] }
    if (this.dtype === this.valueType) return backend.createOutputTensor(value)
    const wide = backend.createOutputTensor({ ...cast(value.id, this.dtype, 'float32'), shape: value.shape })
    if (!trace) backend.binding.deleteTensor(value.id)
    return wide
  }

  /** Sets the value; to int8 and uint8 it is cut to an integer. Throws on another shape. */
  assign(value: TensorFlow.Tensor): void {
    this.check(value, 'assign')
    const input = this.dtype === this.valueType ? value : cast(value, 'float32', this.dtype).id
    runOp('AssignVariableOp', [attribute.type('dtype', this.dtype)], [this.symbol(), input], 0)
    if (typeof input === 'number' && !currentTrace()) backend.binding.deleteTensor(input)
    this.count()
  }

  /** Sets the value to what an op has made (see `runOp`), whose shape need not be known. */
  replace(id: number): void {
    const symbol = this.symbol()
    currentTrace()?.setShape(id, [...this.shape])
    runOp('AssignVariableOp', [attribute.type('dtype', this.dtype)], [symbol, id], 0)
    this.count()
  }

  /** Adds to the value. Throws on another shape. */
  add(value: TensorFlow.Tensor): void {
    this.check(value, 'add')
    runOp('AssignAddVariableOp', [attribute.type('dtype', this.dtype)], [this.symbol(), value], 0)
    this.count()
  }

  /** What ops on variables take as input: the handle, or what stands for it in the function that is being compiled. */
  symbol(): number {
    const trace = currentTrace()
    return trace ? trace.variable(this) : this.id
  }

  /** Frees the device memory. Safe to call twice. */
  dispose(): void {
    if (this.handle === undefined) return
    native.executeOp('DestroyResourceOp', [attribute.bool('ignore_lookup_error', true)], [this.handle], 0)
    native.deleteTensor(this.handle)
    this.handle = undefined
  }

  /** Changes by a compiled function are counted when it runs (see compile.ts). */
  private count(): void {
    if (!currentTrace()) this.changes++
  }

  /** What `read` gives and `assign` takes. */
  private get valueType(): 'float32' | 'int32' {
    return this.dtype === 'int32' ? 'int32' : 'float32'
  }

  private check(value: TensorFlow.Tensor, operation: string): void {
    if (value.dtype !== this.valueType || value.shape.join() !== this.shape.join()) {
      throw new Error(
        `${operation}: variable ${this.name} is ${this.valueType} [${this.shape.join(', ')}], ` +
          `got ${value.dtype} [${value.shape.join(', ')}]`,
      )
    }
  }
}

/** A value in another type; `value` may be of a type that tfjs does not know. */
function cast(value: TensorFlow.Tensor | number, from: StoredType, to: StoredType): TensorInfo {
  const attributes = [attribute.type('SrcT', from), attribute.type('DstT', to), attribute.bool('Truncate', false)]
  return runOp('Cast', attributes, [value], 1)[0]!
}

/** What a function is traced for: names, types and shapes of its inputs and variables. */
export const signature = (
  named: readonly (readonly [string, { readonly dtype: string; readonly shape: readonly number[] }])[],
): string => named.map(([name, { dtype, shape }]) => `${name}:${dtype}[${shape.join()}]`).join(' ')

/** All variables in a nesting of arrays and records, each once, by the path to its first place, in a fixed order. */
export function variablesOf(state: unknown): Map<string, Variable> {
  const found = new Map<string, Variable>()
  const seen = new Set<Variable>()
  const visit = (value: unknown, path: string): void => {
    if (value instanceof Variable) {
      if (!seen.has(value)) found.set(path, value)
      seen.add(value)
    } else if (isNesting(value)) {
      Object.entries(value).forEach(([key, part]) => visit(part, `${path}/${key}`))
    }
  }
  visit(state, '')
  return found
}

function isNesting(value: unknown): value is object {
  if (Array.isArray(value)) return true
  return value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype
}
