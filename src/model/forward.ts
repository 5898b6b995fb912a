import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { gatherRows } from '../tensor/ops.js'
import { tf } from '../tensor/runtime.js'
import type { ModelConfig } from './config.js'
import { ropeTables } from './rope.js'

type Tensor = TensorFlow.Tensor

/** Weights by key (see weight-names.ts), as tensors inside of a compiled function. Linear weights are [out, in]. */
export type WeightTensors = Record<string, Tensor>

/** How the tokens of one call lie in their sequences. */
export interface Layout {
  /** Cosines and sines of the tokens' positions, broadcast against [batch, heads, time, headDim]. */
  cos: Tensor
  sin: Tensor
  /** Added to attention scores, 0 or a large negative number, broadcast against [batch, kvHeads, group, time, keys]. */
  mask: Tensor
}

/** Large enough to make a softmax weight 0, small enough to stay finite in bfloat16. */
export const MASKED = -1e9

/** Token embeddings [...ids, hidden]. */
export function embed(weights: WeightTensors, ids: Tensor): Tensor {
  return gatherRows(weights['embed']!, ids)
}

/** y = x Wᵀ (+ b) for x [rows, in] and W [out, in]. */
export function linear(weights: WeightTensors, key: string, x: Tensor): Tensor {
  const y = tf.matMul(x, weights[`${key}.weight`] as TensorFlow.Tensor2D, false, true)
  const bias = weights[`${key}.bias`]
  return bias ? y.add(bias) : y
}

/** Root-mean-square norm over the last axis. */
export function rmsNorm(x: Tensor, weight: Tensor, eps: number): Tensor {
  return x.mul(tf.rsqrt(x.square().mean(-1, true).add(eps))).mul(weight)
}

function rotate(x: Tensor, cos: Tensor, sin: Tensor): Tensor {
  const [first, second] = tf.split(x, 2, -1)
  return x.mul(cos).add(tf.concat([second!.neg(), first!], -1).mul(sin))
}

/**
 * Queries, keys and values of one layer, rotated.
 * @param x [batch, time, hidden], normalised
 * @returns q [batch, heads, time, headDim]; k, v [batch, kvHeads, time, headDim]
 */
export function project(config: ModelConfig, weights: WeightTensors, layer: string, x: Tensor, layout: Layout) {
  const [batch, time, hidden] = x.shape as [number, number, number]
  const flat = x.reshape([batch * time, hidden])
  const split = (part: string, heads: number): Tensor =>
    linear(weights, `${layer}.${part}`, flat).reshape([batch, time, heads, config.headDim])
  const norm = (y: Tensor, part: string): Tensor =>
    config.qkNorm ? rmsNorm(y, weights[`${layer}.${part}`]!, config.rmsNormEps) : y
  const heads = (y: Tensor): Tensor => y.transpose([0, 2, 1, 3])
  return {
    q: rotate(heads(norm(split('q', config.heads), 'qNorm')), layout.cos, layout.sin),
    k: rotate(heads(norm(split('k', config.kvHeads), 'kNorm')), layout.cos, layout.sin),
    v: heads(split('v', config.kvHeads)),
  }
}

/**
 * Attention of queries over keys and values, heads grouped over shared keys.
 * @param q [batch, heads, time, headDim]
 * @param k [batch, kvHeads, keys, headDim], `v` likewise
 * @returns [batch, time, heads * headDim]
 */
export function attend(config: ModelConfig, q: Tensor, k: Tensor, v: Tensor, mask: Tensor): Tensor {
  const [batch, heads, time] = q.shape as [number, number, number]
  const { kvHeads, headDim } = config
  const group = heads / kvHeads
  const keys = k.shape[2]!
  const scaled = q.mul(1 / Math.sqrt(headDim)).reshape([batch, kvHeads, group * time, headDim])
  const scores = tf.matMul(scaled, k, false, true).reshape([batch, kvHeads, group, time, keys]).add(mask)
  const weights = tf.softmax(scores).reshape([batch, kvHeads, group * time, keys])
  const mixed = tf.matMul(weights, v).reshape([batch, heads, time, headDim])
  return mixed.transpose([0, 2, 1, 3]).reshape([batch, time, heads * headDim])
}

/**
 * What follows attention in a layer: output projection, residuals, gated feed-forward.
 * @param x [batch, time, hidden], the layer's input
 * @param mixed [batch, time, heads * headDim]
 */
export function finishLayer(
  config: ModelConfig,
  weights: WeightTensors,
  layer: string,
  x: Tensor,
  mixed: Tensor,
): Tensor {
  const [batch, time, hidden] = x.shape as [number, number, number]
  const rows = batch * time
  const attended = x.reshape([rows, hidden]).add(linear(weights, `${layer}.o`, mixed.reshape([rows, mixed.shape[2]!])))
  const normed = rmsNorm(attended, weights[`${layer}.postNorm`]!, config.rmsNormEps)
  const gate = linear(weights, `${layer}.gate`, normed)
  const gated = gate.mul(tf.sigmoid(gate)).mul(linear(weights, `${layer}.up`, normed))
  return attended.add(linear(weights, `${layer}.down`, gated)).reshape([batch, time, hidden])
}

/** Logits [rows, vocabulary] of hidden states [rows, hidden]. */
export function unembed(config: ModelConfig, weights: WeightTensors, hidden: Tensor): Tensor {
  const head = config.tieWordEmbeddings ? weights['embed']! : weights['lmHead']!
  return tf.matMul(hidden, head, false, true)
}

/**
 * Hidden states after the final norm, of whole sequences.
 * @param ids int32 [batch, time]
 * @param starts int32 [batch], number of padding tokens in front of each row; default none. Padding at the end needs
 * no mark: no token sees what follows it.
 * @returns [batch, time, hidden]; rows of padding are meaningless
 */
export function hiddenStates(config: ModelConfig, weights: WeightTensors, ids: Tensor, starts?: Tensor): Tensor {
  const layout = sequenceLayout(config, ids.shape[1]!, starts)
  let x = embed(weights, ids)
  for (let i = 0; i < config.layers; i++) {
    const layer = `layers.${i}`
    const { q, k, v } = project(
      config,
      weights,
      layer,
      rmsNorm(x, weights[`${layer}.inputNorm`]!, config.rmsNormEps),
      layout,
    )
    x = finishLayer(config, weights, layer, x, attend(config, q, k, v, layout.mask))
  }
  return rmsNorm(x, weights['finalNorm']!, config.rmsNormEps)
}

function sequenceLayout(config: ModelConfig, time: number, starts: Tensor | undefined): Layout {
  const tables = ropeTables(config, time)
  const cos = tf.tensor2d(tables.cos, [time, config.headDim])
  const sin = tf.tensor2d(tables.sin, [time, config.headDim])
  const causal = new Float32Array(time * time)
  for (let query = 0; query < time; query++) causal.fill(MASKED, query * time + query + 1, (query + 1) * time)
  const mask = tf.tensor(causal, [1, 1, 1, time, time])
  if (!starts) return { cos: cos.reshape([1, 1, time, -1]), sin: sin.reshape([1, 1, time, -1]), mask }
  const columns = tf.range(0, time, 1, 'int32').reshape([1, time])
  const batch = starts.shape[0]
  const positions = tf.maximum(columns.sub(starts.reshape([batch, 1])), tf.scalar(0, 'int32'))
  const padding = tf
    .less(columns, starts.reshape([batch, 1]))
    .toFloat()
    .mul(MASKED)
  return {
    cos: gatherRows(cos, positions).expandDims(1),
    sin: gatherRows(sin, positions).expandDims(1),
    mask: mask.add(padding.reshape([batch, 1, 1, 1, time])),
  }
}
