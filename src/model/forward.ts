import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { keptStep, withoutKeeping } from '../tensor/kept-step.js'
import { gatedSilu, hasNativeOps, rmsNorm } from '../tensor/native-ops.js'
import { dropOut, gatherRows } from '../tensor/ops.js'
import { tf } from '../tensor/runtime.js'
import { softCap } from './attend.js'
import type { Attention, Projected } from './attend.js'
import { attendCausally } from './causal-attention.js'
import type { ModelConfig } from './config.js'
import type { Activation, Rope } from './family/family.js'
import { ropeAt } from './rope.js'
import type { Rotation } from './rope.js'

type Tensor = TensorFlow.Tensor

/** Weights by key (see weight-names.ts and adapter.ts), as tensors inside of a compiled function. Linear weights are [out, in]. */
export type WeightTensors = Record<string, Tensor>

/** What layers that see all that is before a token have apart from those with a window, where there are such. */
export interface ByKind<T> {
  full: T
  sliding?: T
}

/** Makes something for each kind of layer that the model has. `window` is Infinity where all is seen. */
export function byKind<T>(config: ModelConfig, make: (rope: Rope, window: number) => T): ByKind<T> {
  const full = make(config.rope, Infinity)
  return config.sliding ? { full, sliding: make(config.sliding.rope, config.sliding.window) } : { full }
}

/**
 * All layers over new tokens: the one loop of training and decoding.
 * @param ids int32 [batch, time]
 * @param layouts How the tokens lie in their sequences, and what `attention` needs besides
 * @param attention That of a layer
 * @returns hidden states after the final norm [batch, time, hidden]
 */
export function runLayers<L>(
  config: ModelConfig,
  weights: WeightTensors,
  ids: Tensor,
  layouts: ByKind<L>,
  attention: (layer: number, projected: Projected, layout: L) => Tensor,
): Tensor {
  let x = embed(config, weights, ids)
  for (let i = 0; i < config.layers; i++) {
    const layout = config.sliding?.layers[i] ? layouts.sliding! : layouts.full
    x = runLayer(config, ofLayer(weights, i), x, (projected) => attention(i, projected, layout))
  }
  return norm(config, weights, 'finalNorm', x)
}

/** Those weights that belong to layer `index`, by their keys without it. */
export function ofLayer<T>(weights: Record<string, T>, index: number): Record<string, T> {
  const prefix = `layers.${index}.`
  const own = Object.entries(weights).filter(([key]) => key.startsWith(prefix))
  return Object.fromEntries(own.map(([key, weight]) => [key.slice(prefix.length), weight]))
}

/**
 * One layer.
 * @param weights Of this layer alone (see `ofLayer`)
 * @param x [batch, time, hidden]
 * @returns [batch, time, hidden]
 */
export function runLayer(config: ModelConfig, weights: WeightTensors, x: Tensor, attention: Attention): Tensor {
  const projected = project(config, weights, norm(config, weights, 'inputNorm', x))
  return finishLayer(config, weights, x, attention(projected))
}

/** Token embeddings [...ids, hidden]. */
export function embed(config: ModelConfig, weights: WeightTensors, ids: Tensor): Tensor {
  const embedded = gatherRows(weights['embed']!, ids)
  return config.embeddingScale === 1 ? embedded : embedded.mul(config.embeddingScale)
}

/** y = x Wᵀ (+ b) (+ s (x Aᵀ) Bᵀ) for x [rows, in], W [out, in], A [rank, in] and B [out, rank]. */
function linear({ lora }: ModelConfig, weights: WeightTensors, key: string, x: Tensor): Tensor {
  const whole = product(x, weights[`${key}.weight`]!)
  const bias = weights[`${key}.bias`]
  const y = bias ? whole.add(bias) : whole
  const [a, b] = [weights[`${key}.loraA`], weights[`${key}.loraB`]]
  if (!lora || !a || !b) return y
  const seed = weights[`${key}.dropoutSeed`]
  const heard = seed ? dropOut(x, lora.dropout, seed) : x
  return y.add(tf.matMul(tf.matMul(heard, a, false, true).mul(lora.scale), b, false, true))
}

/** x Wᵀ. */
function product(x: Tensor, w: Tensor): Tensor {
  return keptStep(
    [x, w],
    (x, w) => tf.matMul(x, w, false, true),
    (dy, [x, w]) => [tf.matMul(dy, w!), tf.matMul(dy, x!, true)],
  )
}

/** Root-mean-square norm over the last axis. */
export function norm(config: ModelConfig, weights: WeightTensors, key: string, x: Tensor): Tensor {
  const weight = config.normOffset === 0 ? weights[key]! : weights[key]!.add(config.normOffset)
  if (hasNativeOps()) return rmsNorm(x, weight, config.rmsNormEps)
  // The gradient that tfjs has of a mean freezes ones of the shape of x into the graph.
  const run = tf.customGrad((...all) => {
    const [x, weight, save] = all as unknown as [Tensor, Tensor, (tensors: Tensor[]) => void]
    // 1 / √s as √s / s, of roots and divisions that are exact: TensorFlow's inverse root, which it makes of 1 / √s as
    // well, rounds differently for few tokens than for many.
    const square = x.square().mean(-1, true).add(config.rmsNormEps)
    const scale = square.sqrt().div(square)
    const normed = x.mul(scale)
    save([normed, scale, weight])
    const gradFunc = (dy: Tensor, [normed, scale, weight]: Tensor[]): Tensor[] => {
      const g = dy.mul(weight!)
      const dx = g.sub(normed!.mul(g.mul(normed!).mean(-1, true))).mul(scale!)
      return [dx, dy.mul(normed!).sum(dy.shape.slice(0, -1).map((_, axis) => axis))]
    }
    return { value: normed.mul(weight), gradFunc }
  })
  return run(x, weight)
}

/**
 * Queries, keys and values of one layer.
 * @param x [batch, time, hidden], normalised
 */
function project(config: ModelConfig, weights: WeightTensors, x: Tensor): Projected {
  const [batch, time, hidden] = x.shape as [number, number, number]
  const flat = x.reshape([batch * time, hidden])
  const of = (part: string): Tensor => linear(config, weights, part, flat)
  const normed = (y: Tensor, part: string): Tensor =>
    config.qkNorm ? norm(config, weights, part, y.reshape([-1, config.headDim])) : y
  const apart = (y: Tensor): Tensor => y.reshape([batch, time, y.size / (batch * time)])
  return { q: apart(normed(of('q'), 'qNorm')), k: apart(normed(of('k'), 'kNorm')), v: apart(of('v')) }
}

/**
 * What follows attention in a layer: output projection, residuals, gated feed-forward.
 * @param x [batch, time, hidden], the layer's input
 * @param mixed [batch, time, heads * headDim]
 */
function finishLayer(config: ModelConfig, weights: WeightTensors, x: Tensor, mixed: Tensor): Tensor {
  const [batch, time, hidden] = x.shape as [number, number, number]
  const rows = batch * time
  const projected = linear(config, weights, 'o', mixed.reshape([rows, mixed.shape[2]!]))
  const given = config.outputNorms ? norm(config, weights, 'attentionNorm', projected) : projected
  const attended = x.reshape([rows, hidden]).add(given)
  const normed = norm(config, weights, 'postNorm', attended)
  const gated = gate[config.activation](linear(config, weights, 'gate', normed), linear(config, weights, 'up', normed))
  // Without a norm behind it, nothing but the layer's output needs this result, and so it is not worth keeping.
  const fed = config.outputNorms
    ? norm(config, weights, 'feedForwardNorm', linear(config, weights, 'down', gated))
    : withoutKeeping(() => linear(config, weights, 'down', gated))
  return attended.add(fed).reshape([batch, time, hidden])
}

/** An activation of the first times the second. */
const gate: Record<Activation, (x: Tensor, up: Tensor) => Tensor> = {
  silu: gateSilu,
  // x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))
  gelu_tanh: (x, up) => {
    const inner = x.add(x.square().mul(x).mul(0.044715)).mul(Math.sqrt(2 / Math.PI))
    return x.mul(0.5).mul(tf.tanh(inner).add(1)).mul(up)
  },
}

/** x · σ(x) · up, with a gradient in few passes over memory. */
function gateSilu(x: Tensor, up: Tensor): Tensor {
  if (hasNativeOps()) return gatedSilu(x, up)
  const run = tf.customGrad((...all) => {
    const [x, up, save] = all as unknown as [Tensor, Tensor, (tensors: Tensor[]) => void]
    const sigmoid = tf.sigmoid(x)
    const product = x.mul(up)
    const value = product.mul(sigmoid)
    save([x, up, sigmoid, product, value])
    // d/dx = up · (σ + x σ (1 − σ)) = σ · (up + x up − x σ up)
    const gradFunc = (dy: Tensor, [x, up, sigmoid, product, value]: Tensor[]): Tensor[] => {
      const common = dy.mul(sigmoid!)
      return [common.mul(up!.add(product!.sub(value!))), common.mul(x!)]
    }
    return { value, gradFunc }
  })
  return run(x, up)
}

/** Logits [rows, vocabulary] of hidden states [rows, hidden]. */
export function unembed(config: ModelConfig, weights: WeightTensors, hidden: Tensor): Tensor {
  return softCap(tf.matMul(hidden, weights[headKey(config)]!, false, true), config.logitSoftCap)
}

/** The key of the weight that gives logits. */
export const headKey = (config: ModelConfig): string => (config.tieWordEmbeddings ? 'embed' : 'lmHead')

/**
 * Hidden states after the final norm, of whole sequences.
 * @param ids int32 [batch, time]
 * @param starts int32 [batch], number of padding tokens in front of each row; default none. Padding at the end needs
 * no mark: no token sees what follows it.
 * @returns [batch, time, hidden]; rows of padding are meaningless
 */
export function hiddenStates(config: ModelConfig, weights: WeightTensors, ids: Tensor, starts?: Tensor): Tensor {
  const layouts = byKind(config, (rope, window) => ({ rotation: rotationOf(config, rope, ids, starts), window }))
  return runLayers(config, weights, ids, layouts, (_, projected, { rotation, window }) =>
    attendCausally(config, projected, rotation, { window, ...(starts && { starts }) }),
  )
}

/** The rotation of whole sequences; `starts` and `shared` as those of `attendCausally`. */
export function rotationOf(
  { headDim }: ModelConfig,
  rope: Rope,
  ids: Tensor,
  starts?: Tensor,
  shared?: Tensor,
): Rotation {
  const places = tf.range(0, ids.shape[1]!, 1, 'int32').expandDims(0)
  const first = starts?.rank === 1 ? starts.expandDims(1) : starts
  const own = first ? tf.maximum(places.sub(first), tf.scalar(0, 'int32')) : places
  // Behind what is shared, positions go on from its end; of what is shared, `starts` is 0.
  const positions = first && shared ? own.add(tf.minimum(first, shared.expandDims(1))) : own
  const { cos, sin } = ropeAt(rope, headDim, positions)
  return { cos: cos.expandDims(1), sin: sin.expandDims(1) }
}
