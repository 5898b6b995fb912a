import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { tf } from '../tensor/runtime.js'
import type { ModelConfig } from './config.js'
import type { Rotation } from './rope.js'

type Tensor = TensorFlow.Tensor

/** Queries [batch, heads, time, headDim], keys and values [batch, kvHeads, time or more, headDim]. */
export type QueriesKeysValues = Record<'q' | 'k' | 'v', Tensor>

/** The same as they are projected, not yet turned by position: [batch, time, heads * headDim] and kvHeads * headDim. */
export type Projected = Record<'q' | 'k' | 'v', Tensor>

/** What tokens get from those that they see, [batch, time, heads * headDim]. */
export type Attention = (projected: Projected) => Tensor

/** Heads side by side, queries and keys turned by the tokens' positions. */
export function perHead({ headDim }: ModelConfig, { q, k, v }: Projected, rotation: Rotation): QueriesKeysValues {
  const heads = (y: Tensor): Tensor => {
    const [batch, time, width] = y.shape as [number, number, number]
    return y.reshape([batch, time, width / headDim, headDim]).transpose([0, 2, 1, 3])
  }
  return { q: rotate(heads(q), rotation), k: rotate(heads(k), rotation), v: heads(v) }
}

function rotate(x: Tensor, { cos, sin }: Rotation): Tensor {
  const [first, second] = tf.split(x, 2, -1)
  return x.mul(cos).add(tf.concat([second!.neg(), first!], -1).mul(sin))
}

/** Large enough to make a softmax weight 0, small enough to stay finite in bfloat16. */
export const MASKED = -1e9

/** Keeps values between ± cap, smoothly. */
export function softCap(x: Tensor, cap: number | undefined): Tensor {
  return cap === undefined ? x : tf.tanh(x.mul(1 / cap)).mul(cap)
}

/**
 * Attention of queries over keys and values, heads grouped over shared keys. Without a bound on memory: all scores exist.
 * @param q [batch, heads, time, headDim]
 * @param k [batch, kvHeads, keys, headDim], `v` likewise
 * @param mask Added to scores, 0 or a large negative number, broadcast against [batch, kvHeads, group, time, keys]
 * @returns [batch, time, heads * headDim]
 */
export function attend(config: ModelConfig, { q, k, v }: QueriesKeysValues, mask: Tensor): Tensor {
  const [batch, heads, time] = q.shape as [number, number, number]
  const { kvHeads, headDim } = config
  const group = heads / kvHeads
  const keys = k.shape[2]!
  const scaled = q.mul(config.attentionScale).reshape([batch, kvHeads, group * time, headDim])
  const products = softCap(tf.matMul(scaled, k, false, true), config.attentionSoftCap)
  const scores = products.reshape([batch, kvHeads, group, time, keys]).add(mask)
  const weights = tf.softmax(scores).reshape([batch, kvHeads, group * time, keys])
  const mixed = tf.matMul(weights, v).reshape([batch, heads, time, headDim])
  return mixed.transpose([0, 2, 1, 3]).reshape([batch, time, heads * headDim])
}
