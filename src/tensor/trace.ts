import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { opArguments } from './op-defs.js'
import { backend, dtypeNumber, native, tf } from './runtime.js'
import type { Binding, GraphOutput, NativeGraph, OpAttribute, TensorData, TensorInfo } from './runtime.js'

/** Ids of traced symbols start here, far above those of real handles. No two traces share one. */
const SYMBOL_BASE = 2 ** 30
let nextSymbol = SYMBOL_BASE

/** Ops that are computed in bfloat16 where a function asks for it. */
const MATRIX_PRODUCTS = new Set(['BatchMatMulV2', 'BatchMatMul', 'MatMul'])

/** Ops that draw random numbers from a state of their own. */
const STATEFUL_RANDOM = /^(Random|TruncatedNormal|Multinomial|ParameterizedTruncatedNormal)/

/** Ops on a variable that leave it as it is. All others change it. */
const VARIABLE_READS = new Set(['ReadVariableOp', 'ResourceGather', 'ResourceGatherNd', 'VariableShape'])

interface Symbol {
  output: GraphOutput
  dtype: number
  shape: number[]
  /** The same value in bfloat16, where this one was made of it. */
  bfloat16?: GraphOutput
}

/** Places of an op's inputs. */
type Places = Pick<ReadonlySet<number>, 'has'>
const NONE: Places = { has: () => false }
const ALL: Places = { has: () => true }

/** The order of accesses to one variable: a write waits for all earlier accesses, a read for the last write. */
interface Accesses {
  lastWrite: number | undefined
  readsSince: number[]
}

/** What a trace knows of a variable: the handle that is bound at each call. */
export interface VariableHandle {
  readonly id: number
  /** How often it may have been changed so far. */
  changes: number
}

let current: Trace | undefined

/** What tfjs knows of the gradient that is being taken. */
type GradientState = Record<'gradientDepth' | 'kernelDepth', number> & { activeTape: unknown }
const gradientState = (tf.engine() as unknown as { state: GradientState }).state

function frozenRandom(): never {
  throw new Error('trace: random numbers would freeze into the function; feed them as inputs')
}

function become(trace: Trace | undefined): void {
  current = trace
}

/** The trace that is being recorded, if any. */
export function currentTrace(): Trace | undefined {
  return current
}

/** A function of a trace, ready to be called from another one: what it takes and gives. */
export interface TracedFunction {
  functionName: string
  outputs: { dtype: number; shape: number[] }[]
  /** Places of the inputs that are variables which it changes. */
  writes: ReadonlySet<number>
}

/** Records what a tfjs function does as a TensorFlow graph, executing nothing. */
export class Trace {
  readonly graph: NativeGraph = native.newGraph()
  /** Placeholder ops of the function's inputs: first the given inputs, then variables in the order of `variables`. */
  readonly inputs: number[] = []
  readonly variableInputs: number[] = []
  readonly variables: VariableHandle[] = []
  /** Ops that must run although nothing uses their results. */
  readonly effects = new Set<number>()
  /** Functions made for this trace to call, by name; the outermost trace has them all. */
  readonly functions: string[] = []
  private readonly symbols = new Map<number, Symbol>()
  private readonly variableSymbols = new Map<VariableHandle, number>()
  private readonly accesses = new Map<number, Accesses>()
  /** Symbols whose shape is not known, which nothing may use, and what made them. */
  private readonly shapeless = new Map<number, string>()
  private readonly constants = new WeakMap<object, number>()

  /**
   * @param caller The trace that will call this one's function.
   * @param xla Whether XLA compiles it, which knows TensorFlow's own ops alone.
   */
  constructor(
    readonly bfloat16: boolean,
    private readonly caller?: Trace,
    private readonly xla = false,
  ) {}

  /** Whether the ops of src/tensor/native, which are for the CPU, work here. */
  get hasNativeOps(): boolean {
    return !native.isUsingGpuDevice() && !this.root.xla
  }

  /** The outermost of the traces that are being recorded. */
  get root(): Trace {
    return this.caller?.root ?? this
  }

  /** A tensor that stands for an input of the function. */
  placeholder(dtype: number, shape: number[]): TensorFlow.Tensor {
    const id = this.addPlaceholder(dtype, shape, this.inputs)
    return backend.createOutputTensor({ id, dtype, shape })
  }

  /** The symbol of a variable's handle; a variable that was not announced becomes one more input. */
  variable(variable: VariableHandle): number {
    let id = this.variableSymbols.get(variable)
    if (id === undefined) {
      id = this.addPlaceholder(dtypeNumber.resource, [], this.variableInputs)
      this.variableSymbols.set(variable, id)
      this.variables.push(variable)
    }
    return id
  }

  /** Runs `body` with tfjs recording into this trace. Tensors made by it are gone afterwards. */
  record(body: () => void): void {
    if (current !== this.caller)
      throw new Error('compile: a function is being traced already; call compiled functions outside of one another')
    const { binding, getInputTensorIds } = backend
    const { random } = Math
    // A function that is traced within another one's gradient takes gradients of its own.
    const { gradientDepth, kernelDepth, activeTape } = gradientState
    Object.assign(gradientState, { gradientDepth: 0, kernelDepth: 0, activeTape: null })
    become(this)
    backend.binding = this.recorder(native)
    backend.getInputTensorIds = (tensors) => tensors.map((tensor) => this.symbolOf(tensor))
    // tfjs draws its random numbers in JavaScript: they would freeze into the trace.
    Math.random = frozenRandom
    try {
      tf.tidy(() => {
        body()
      })
    } finally {
      backend.binding = binding
      backend.getInputTensorIds = getInputTensorIds
      Math.random = random
      Object.assign(gradientState, { gradientDepth, kernelDepth, activeTape })
      become(this.caller)
    }
  }

  /** [op, index] of a tensor that the function returns. */
  outputOf(tensor: TensorFlow.Tensor): GraphOutput {
    return this.symbol(this.symbolOf(tensor), 'a result').output
  }

  /** Whether the body has changed a variable. */
  writes(variable: VariableHandle): boolean {
    return this.accesses.get(this.variable(variable))?.lastWrite !== undefined
  }

  /** What a tensor of this trace is. */
  describe(tensor: TensorFlow.Tensor): { dtype: number; shape: number[] } {
    const { dtype, shape } = this.symbol(this.symbolOf(tensor), 'a result')
    return { dtype, shape }
  }

  /** Calls a function that another trace has made. */
  call({ functionName, outputs, writes }: TracedFunction, inputs: number[]): TensorInfo[] {
    const symbols = inputs.map((id) => this.symbol(id, functionName))
    const stateful = symbols.some(({ dtype }) => dtype === dtypeNumber.resource)
    const types = (list: readonly { dtype: number }[]): number[] => list.map(({ dtype }) => dtype)
    const { op } = native.addOp(
      this.graph,
      stateful ? 'StatefulPartitionedCall' : 'PartitionedCall',
      [
        { name: 'Tin', type: native.TF_ATTR_TYPE, value: types(symbols) },
        { name: 'Tout', type: native.TF_ATTR_TYPE, value: types(outputs) },
        { name: 'f', type: 'func', value: functionName },
      ],
      [symbols.map((symbol) => symbol.output)],
      this.order(symbols, inputs, writes),
    )
    this.recordAccess(symbols, inputs, writes, op)
    return outputs.map(({ dtype, shape }, index) => {
      native.setShape(this.graph, [op, index], shape)
      return { id: this.define([op, index], dtype, shape), dtype, shape }
    })
  }

  /** Tells TensorFlow the shape of a symbol, where it cannot infer it. A dimension of -1 may be any. */
  setShape(id: number, shape: number[]): void {
    this.shapeless.delete(id)
    const symbol = this.symbol(id, 'setShape')
    native.setShape(this.graph, symbol.output, shape)
    symbol.shape = shape
  }

  /** Says that the op which made symbol `id` has changed a variable in place. */
  changed(variable: VariableHandle, id: number): void {
    const [op] = this.symbol(id, 'changed').output
    this.accesses.set(this.variable(variable), { lastWrite: op, readsSince: [] })
    this.effects.add(op)
  }

  private addPlaceholder(dtype: number, shape: number[], list: number[]): number {
    const attributes = [
      { name: 'dtype', type: native.TF_ATTR_TYPE, value: dtype },
      { name: 'shape', type: native.TF_ATTR_SHAPE, value: shape },
    ]
    const { op } = native.addOp(this.graph, 'Placeholder', attributes, [], [])
    list.push(op)
    return this.define([op, 0], dtype, shape)
  }

  private define(output: GraphOutput, dtype: number, shape: number[]): number {
    const id = nextSymbol++
    this.symbols.set(id, { output, dtype, shape })
    return id
  }

  private symbol(id: number, where: string): Symbol {
    const symbol = this.symbols.get(id)
    if (!symbol) {
      throw new Error(
        `trace: ${where} uses a tensor that was made outside of the function; pass it as an input, hold it in a ` +
          'Variable, or make it inside',
      )
    }
    const source = this.shapeless.get(id)
    if (source !== undefined) throw new Error(`trace: the shape of the result of ${source} depends on values`)
    return symbol
  }

  /** The symbol of a tensor. Values that still lie in JavaScript become constants of the graph. */
  private symbolOf(tensor: TensorFlow.TensorInfo): number {
    const data = backend.tensorMap.get(tensor.dataId) as TensorData
    if (data.values === null || data.values === undefined) return data.id
    const known = this.constants.get(tensor.dataId)
    if (known !== undefined) return known
    const id = this.constant(data.shape, data.dtype, data.values)
    this.constants.set(tensor.dataId, id)
    return id
  }

  private constant(shape: number[], dtype: number, values: ArrayBufferView | Uint8Array[]): number {
    if (Array.isArray(values)) throw new Error('trace: constants of strings are not supported')
    const attributes: OpAttribute[] = [
      { name: 'dtype', type: native.TF_ATTR_TYPE, value: dtype },
      { name: 'value', type: 'tensor', value: { dtype, shape, values: typed(values, dtype) } },
    ]
    const { op } = native.addOp(this.graph, 'Const', attributes, [], [])
    return this.define([op, 0], dtype, shape)
  }

  private recorder(real: Binding): Binding {
    // The binding's properties are read-only and hidden, so the recorder is a copy.
    const properties = real as unknown as Record<string, unknown>
    const copy = Object.getOwnPropertyNames(real).map((name) => [name, properties[name]])
    const recorder = Object.fromEntries(copy) as Binding
    recorder.createTensor = (shape, dtype, values) => this.constant(shape, dtype, values)
    recorder.deleteTensor = (id) => {
      if (id < SYMBOL_BASE) real.deleteTensor(id)
    }
    recorder.tensorDataSync = () => {
      throw new Error('trace: a value was read inside of a compiled function, where no values exist yet')
    }
    recorder.executeOp = (name, attributes, inputs) => this.execute(name, attributes, inputs)
    return recorder
  }

  private execute(name: string, attributes: OpAttribute[], inputs: number[]): TensorInfo[] {
    if (STATEFUL_RANDOM.test(name)) {
      throw new Error(`trace: ${name} keeps state and would not repeat; feed random numbers as inputs`)
    }
    const symbols = inputs.map((id) => this.symbol(id, name))
    const half = this.bfloat16 && MATRIX_PRODUCTS.has(name) && symbols.every((s) => s.dtype === dtypeNumber.float32)
    let outputs = symbols.map((symbol) => symbol.output)
    if (half) {
      outputs = symbols.map((symbol) => symbol.bfloat16 ?? this.cast(symbol.output, dtypeNumber.bfloat16))
      attributes = attributes.filter((attribute) => attribute.name !== 'T')
    }
    const writes = VARIABLE_READS.has(name) ? NONE : ALL
    const grouped = group(name, attributes, outputs)
    const result = native.addOp(this.graph, name, attributes, grouped, this.order(symbols, inputs, writes))
    this.recordAccess(symbols, inputs, writes, result.op)
    return result.outputs.map(({ dtype, shape }, index) => {
      let output: GraphOutput = [result.op, index]
      if (half) {
        output = this.cast(output, dtypeNumber.float32)
        dtype = dtypeNumber.float32
      }
      const unknown = (shape === null || shape.includes(-1)) && !VARIABLE_READS.has(name)
      const known = unknown ? [] : (shape ?? [])
      const id = this.define(output, dtype, known)
      if (name === 'Cast' && symbols[0]!.dtype === dtypeNumber.bfloat16) this.symbols.get(id)!.bfloat16 = outputs[0]!
      if (unknown) this.shapeless.set(id, `${name} (${JSON.stringify(shape)})`)
      return { id, dtype, shape: known }
    })
  }

  private cast(output: GraphOutput, dtype: number): GraphOutput {
    const attributes = [{ name: 'DstT', type: native.TF_ATTR_TYPE, value: dtype }]
    return [native.addOp(this.graph, 'Cast', attributes, [output], []).op, 0]
  }

  /** Ops that must have run before an op that touches variables. */
  private order(symbols: Symbol[], ids: number[], writes: Places): number[] {
    const before: number[] = []
    symbols.forEach((symbol, index) => {
      if (symbol.dtype !== dtypeNumber.resource) return
      const accesses = this.accesses.get(ids[index]!)
      if (!accesses) return
      if (accesses.lastWrite !== undefined) before.push(accesses.lastWrite)
      if (writes.has(index)) for (const read of accesses.readsSince) before.push(read)
    })
    return before
  }

  private recordAccess(symbols: Symbol[], ids: number[], writes: Places, op: number): void {
    symbols.forEach((symbol, index) => {
      if (symbol.dtype !== dtypeNumber.resource) return
      const accesses = this.accesses.get(ids[index]!) ?? { lastWrite: undefined, readsSince: [] }
      if (!writes.has(index)) {
        accesses.readsSince.push(op)
      } else {
        accesses.lastWrite = op
        accesses.readsSince = []
        this.effects.add(op)
      }
      this.accesses.set(ids[index]!, accesses)
    })
  }
}

/** Inputs as the op's arguments group them: lists where the op takes lists. */
function group(name: string, attributes: OpAttribute[], outputs: GraphOutput[]): (GraphOutput | GraphOutput[])[] {
  const grouped: (GraphOutput | GraphOutput[])[] = []
  let next = 0
  for (const argument of opArguments(name)) {
    if (!argument.numberAttr && !argument.typeListAttr) {
      grouped.push(outputs[next++]!)
      continue
    }
    const attribute = attributes.find((a) => a.name === (argument.numberAttr || argument.typeListAttr))
    const value = attribute?.value
    const count = typeof value === 'number' ? value : Array.isArray(value) ? value.length : outputs.length - next
    grouped.push(outputs.slice(next, next + count))
    next += count
  }
  return grouped
}

/** tfjs hands over plain arrays at times; native code wants the typed array of the dtype. */
function typed(values: ArrayBufferView, dtype: number): ArrayBufferView {
  if (ArrayBuffer.isView(values)) return values
  const list = values as unknown as number[]
  if (dtype === dtypeNumber.float32) return Float32Array.from(list)
  if (dtype === dtypeNumber.int32) return Int32Array.from(list)
  return Uint8Array.from(list)
}

/** Runs an op by name: traced inside of a compiled function, eager outside. Inputs are tensors or native ids. */
export function runOp(
  name: string,
  attributes: OpAttribute[],
  inputs: readonly (TensorFlow.Tensor | number)[],
  outputs: number,
): TensorInfo[] {
  const ids = inputs.map((input) => (typeof input === 'number' ? input : backend.getInputTensorIds([input])[0]!))
  return backend.binding.executeOp(name, attributes, ids, outputs)
}

/** `runOp` for ops with ordinary tensors as results. */
export function op(
  name: string,
  attributes: OpAttribute[],
  inputs: readonly (TensorFlow.Tensor | number)[],
  outputs = 1,
): TensorFlow.Tensor[] {
  return runOp(name, attributes, inputs, outputs).map((info) => backend.createOutputTensor(info))
}

export const attribute = {
  type: (name: string, dtype: keyof typeof dtypeNumber): OpAttribute => ({
    name,
    type: native.TF_ATTR_TYPE,
    value: dtypeNumber[dtype],
  }),
  int: (name: string, value: number): OpAttribute => ({ name, type: native.TF_ATTR_INT, value }),
  float: (name: string, value: number): OpAttribute => ({ name, type: native.TF_ATTR_FLOAT, value }),
  bool: (name: string, value: boolean): OpAttribute => ({ name, type: native.TF_ATTR_BOOL, value }),
}
