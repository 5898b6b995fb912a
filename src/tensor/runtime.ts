import { createRequire } from 'node:module'
import util from 'node:util'
import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { quietTensorFlowLog, returnTensorFlowMemory } from '../schema/settings.js'

/** An attribute of an op, as tfjs-node writes them; `func` and `tensor` exist in traced graphs only. */
export interface OpAttribute {
  name: string
  type: number | 'func' | 'tensor'
  value: unknown
}

/** What the binding says of a result: a handle, or a symbol of the graph being traced. */
export interface TensorInfo {
  id: number
  dtype: number
  shape: number[]
}

/** Result of a native call, copied into JavaScript. `dtype` is TensorFlow's number. */
export interface NativeResult {
  shape: number[]
  dtype: number
  data: ArrayBuffer
}

export type NativeGraph = object & { readonly graph: never }
/** [op, output index] in a native graph. */
export type GraphOutput = [op: number, index: number]

/** tfjs-node's binding with this project's additions (src/tensor/native). */
export interface Binding {
  createTensor(shape: number[], dtype: number, values: ArrayBufferView | Uint8Array[]): number
  deleteTensor(id: number): void
  tensorDataSync(id: number): ArrayBufferView
  executeOp(name: string, attributes: OpAttribute[], inputs: number[], outputs: number): TensorInfo[]
  getNumOfTensors(): number
  isUsingGpuDevice(): boolean
  newGraph(): NativeGraph
  addOp(
    graph: NativeGraph,
    type: string,
    attributes: OpAttribute[],
    inputs: (GraphOutput | GraphOutput[])[],
    controlInputs: number[],
  ): { op: number; outputs: { dtype: number; shape: number[] | null }[] }
  setShape(graph: NativeGraph, output: GraphOutput, shape: number[]): void
  addFunction(
    graph: NativeGraph,
    name: string,
    placeholders: number[],
    outputs: GraphOutput[],
    controlOutputs: number[],
    /** Attributes of the function that are true. */
    flags: string[],
  ): void
  removeFunction(name: string): void
  call(name: string, inputs: number[], outputs: number, xla: boolean): Promise<NativeResult[]>
  upload(dtype: number, shape: number[], values: ArrayBufferView): number
  deviceName(): string
  /** Gives the system back what was freed, where that is more than this share of what is used (glibc). */
  releaseMemory(share: number): Promise<void>
  opList(): Uint8Array
  readonly TF_ATTR_STRING: number
  readonly TF_ATTR_INT: number
  readonly TF_ATTR_FLOAT: number
  readonly TF_ATTR_BOOL: number
  readonly TF_ATTR_TYPE: number
  readonly TF_ATTR_SHAPE: number
  readonly TF_Version: string
}

/** The parts of tfjs-node's backend that tracing replaces for a while. */
export interface NodeBackend {
  binding: Binding
  tensorMap: { get(dataId: object): TensorData | undefined; has(dataId: object): boolean }
  getInputTensorIds: (tensors: readonly TensorFlow.TensorInfo[]) => number[]
  createOutputTensor(info: TensorInfo): TensorFlow.Tensor
}

/** tfjs-node keeps values in JavaScript until an op needs them; `values` is null after the upload. */
export interface TensorData {
  shape: number[]
  dtype: number
  values: ArrayBufferView | Uint8Array[] | null
  id: number
}

quietTensorFlowLog()
returnTensorFlowMemory()
// tfjs-node 4.22 calls this function, which Node 23 removed.
const legacy = util as unknown as { isNullOrUndefined?: (value: unknown) => boolean }
legacy.isNullOrUndefined ??= (value) => value === null || value === undefined

const require = createRequire(import.meta.url)

/** tfjs on TensorFlow's own library: eager ops, gradients, and the ops that traced functions are written in. */
export const tf: typeof TensorFlow = require('@tensorflow/tfjs-node-gpu') as typeof TensorFlow

export const backend: NodeBackend = tf.backend() as unknown as NodeBackend

/** The real binding, whatever is being traced. */
export const native: Binding = backend.binding

/** TensorFlow's dtype numbers (tensorflow/core/framework/types.proto). */
export const dtypeNumber = { float32: 1, int32: 3, uint8: 4, int8: 6, bool: 10, bfloat16: 14, resource: 20 } as const
