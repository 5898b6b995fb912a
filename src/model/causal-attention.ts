import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { keptStep } from '../tensor/kept-step.js'
import { hasNativeOps, nativeOp } from '../tensor/native-ops.js'
import { tf } from '../tensor/runtime.js'
import { attribute } from '../tensor/trace.js'
import { perHead } from './attend.js'
import type { Projected } from './attend.js'
import { attendInChunks } from './chunked-attention.js'
import type { ModelConfig } from './config.js'
import type { Rotation } from './rope.js'

type Tensor = TensorFlow.Tensor

/** Where sequences lie in their rows, and what a token sees of them. */
export interface Visibility {
  /** How many tokens are seen, the token itself among them; Infinity for all. */
  window: number
  /**
   * int32 [batch], number of padding tokens in front of each row; or [batch, time], where the sequence of each token begins in
   * its row: it sees nothing of another.
   */
  starts?: Tensor
  /** int32 [batch], with `starts` of [batch, time]: number of tokens at a row's beginning that all of it sees; not with a window. */
  shared?: Tensor
}

/**
 * Attention of whole sequences: a token sees itself and those before it. Its gradient keeps nothing but the result.
 * @returns [batch, time, heads * headDim]
 */
export function attendCausally(
  config: ModelConfig,
  projected: Projected,
  rotation: Rotation,
  visibility: Visibility,
): Tensor {
  if (hasNativeOps()) return attendInOnePass(config, projected, rotation, visibility)
  const { window, starts, shared } = visibility
  return attendInChunks(config, perHead(config, projected, rotation), window, starts, shared)
}

/** The same by src/tensor/native/causal-attention.h, on the CPU: projections go in as they are, and scores never fill memory. */
function attendInOnePass(
  config: ModelConfig,
  { q, k, v }: Projected,
  { cos, sin }: Rotation,
  { window, starts, shared }: Visibility,
): Tensor {
  const attributes = [
    attribute.int('window', window === Infinity ? 0 : window),
    attribute.float('scale', config.attentionScale),
    attribute.float('cap', config.attentionSoftCap ?? 0),
  ]
  const none = tf.tensor1d([], 'int32')
  return keptStep(
    [q, k, v, cos, sin, starts ?? none, shared ?? none],
    (...inputs) => nativeOp('CausalAttention', attributes, inputs, [q.shape])[0]!,
    (dy, inputs, y) => {
      const learned = inputs.slice(0, 3).map(({ shape }) => shape)
      const changes = nativeOp('CausalAttentionGradient', attributes, [...inputs, y, dy], learned)
      return [...changes, ...inputs.slice(3).map((layout) => layout.zerosLike())]
    },
  )
}
