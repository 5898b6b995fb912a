import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { availableMemory } from '../host/available-memory.js'
import { graphFunction } from '../tensor/graph-function.js'
import { recordSteps, replaySteps } from '../tensor/kept-step.js'
import { scatterAddRows } from '../tensor/ops.js'
import { tf } from '../tensor/runtime.js'
import { withDropout } from './adapter-dropout.js'
import { attendCausally } from './causal-attention.js'
import type { ModelConfig } from './config.js'
import { byKind, embed, norm, ofLayer, rotationOf, runLayer } from './forward.js'
import { readWeights } from './weights.js'
import type { Weights } from './weights.js'

type Tensor = TensorFlow.Tensor
type Tensors = Record<string, Tensor>

/** Weights of a model that learns. */
export interface TrainedWeights {
  /** All of them by key. */
  weights: Weights
  /** What the gradients of some of them are added to; the others are frozen. */
  gradients: Weights
}

/** Of the memory that was free at first: a small share, and less for an adapter, whose point is to need little. */
const KEPT_SHARE = { all: 1 / 64, adapter: 1 / 256 }

let freeAtFirst: number | undefined

/**
 * Memory for results of products that the gradient needs again. They are kept in as many layers as fit, which saves up to a
 * fifth of a step, or a quarter where an adapter alone is trained; the other layers are computed once more. The step's
 * results are the same bit for bit.
 */
export function keptBytes(adapter: boolean): number {
  // Once for the process: the same shapes always keep the same.
  freeAtFirst ??= availableMemory()
  return freeAtFirst * KEPT_SHARE[adapter ? 'adapter' : 'all']
}

/**
 * All layers over embedded sequences. A layer is one function of the graph, and so is its gradient: neither trace nor
 * memory holds more of a layer than its input and, where there is memory for them, the results of its products.
 * @param ids int32 [batch, time], padded at the end
 * @param x [batch, time, hidden], their embeddings
 * @param options With `dropoutSeed` (int32, no dimensions) inputs of the adapter are dropped. With `starts` (int32 [batch,
 * time]: where the sequence of each token begins in its row) rows hold several sequences, which do not see each other, and
 * with `shared` (int32 [batch]) each sees so many ids at its row's beginning.
 * @returns hidden states after the final norm [batch, time, hidden]; their gradient changes `gradients`
 */
export function runTrainedLayers(
  config: ModelConfig,
  state: TrainedWeights,
  ids: Tensor,
  x: Tensor,
  {
    dropoutSeed,
    starts,
    shared,
    keep = keptBytes(config.lora !== undefined),
  }: { dropoutSeed?: Tensor; starts?: Tensor; shared?: Tensor; keep?: number } = {},
): Tensor {
  const layers = byKind(config, (rope, window) => {
    const layer = trained('layer', (weights, x, { cos, sin, starts, shared, layerSeed }) => {
      const heard = layerSeed ? withDropout(weights, layerSeed) : weights
      const visibility = { window, ...(starts && { starts }), ...(shared && { shared }) }
      return runLayer(config, heard, x, (projected) =>
        attendCausally(config, projected, { cos: cos!, sin: sin! }, visibility),
      )
    })
    const rotation = rotationOf(config, rope, ids, starts, shared)
    return { layer, layout: { ...rotation, ...(starts && { starts }), ...(shared && { shared }) } }
  })
  const rows = ids.shape[0] * ids.shape[1]!
  const keeping = Math.floor(keep / (4 * rows * keptValues(config)))
  for (let i = 0; i < config.layers; i++) {
    const { layer, layout } = config.sliding?.layers[i] ? layers.sliding! : layers.full
    const own = { weights: ofLayer(state.weights, i), gradients: ofLayer(state.gradients, i) }
    const layerSeed = dropoutSeed && { layerSeed: tf.stack([dropoutSeed, tf.scalar(i, 'int32')]) }
    x = layer(own, x, { ...layout, ...layerSeed }, i < keeping)
  }
  const finalNorm = trained('final norm', (weights, x) => norm(config, weights, 'finalNorm', x))
  return finalNorm(onlyWeight(state, 'finalNorm'), x, {}, false)
}

/** Values that a layer keeps for each token: queries, keys, values, attention, and what `finishLayer` multiplies. */
export function keptValues({
  hiddenSize,
  intermediateSize,
  heads,
  kvHeads,
  headDim,
  outputNorms,
}: ModelConfig): number {
  return 2 * (heads + kvHeads) * headDim + (outputNorms ? 2 : 1) * hiddenSize + 2 * intermediateSize
}

/** The part of the state that has one weight. */
export function onlyWeight({ weights, gradients }: TrainedWeights, key: string): TrainedWeights {
  const only = (of: Weights): Weights => Object.fromEntries(Object.entries(of).filter(([name]) => name === key))
  return { weights: only(weights), gradients: only(gradients) }
}

/** A part of a model. `layout` and `keep` are as that of `trained`. */
type TrainedPart = (state: TrainedWeights, x: Tensor, layout: Tensors, keep: boolean) => Tensor

/**
 * A part of a model as a function of its own, with a gradient that is one too: it computes the part again, but for what
 * was kept, and adds the gradients of the weights to their variables.
 * @param part From weights, input and `layout` (tensors that have no gradient) to the output
 */
export function trained(name: string, part: (weights: Tensors, x: Tensor, layout: Tensors) => Tensor): TrainedPart {
  type Inputs = Tensors & { x: Tensor }
  const forward = graphFunction(name, ({ x, ...layout }: Inputs, weights: Weights) => ({
    y: part(readWeights(weights), x, layout),
  }))
  const keepingForward = graphFunction(name, ({ x, ...layout }: Inputs, weights: Weights): Tensors => {
    const { result: y, kept } = recordSteps(() => part(readWeights(weights), x, layout))
    return { y, ...Object.fromEntries(kept.map((tensor, i) => [`${KEPT}${i}`, tensor])) }
  })
  const backward = graphFunction(
    `gradient of ${name}`,
    ({ x, dy, ...others }: Inputs & { dy: Tensor }, { weights, gradients }: TrainedWeights) => {
      const fixed = readWeights(weights)
      const keys = Object.keys(gradients)
      const kept = Object.keys(others).flatMap((key) => (key.startsWith(KEPT) ? [others[key]!] : []))
      const layout = Object.fromEntries(Object.entries(others).filter(([key]) => !key.startsWith(KEPT)))
      const objective = (input: Tensor, ...values: Tensor[]): Tensor => {
        const learned = Object.fromEntries(keys.map((key, i) => [key, values[i]!]))
        const compute = (): Tensor => part({ ...fixed, ...learned }, input, layout)
        return kept.length > 0 ? replaySteps(kept, compute) : compute()
      }
      const [dx, ...changes] = tf.grads(objective)([x, ...keys.map((key) => fixed[key]!)], dy)
      keys.forEach((key, i) => gradients[key]!.add(changes[i]!))
      return { dx: dx! }
    },
  )
  return (state, x, layout, keep) => {
    const run = tf.customGrad((input, save) => {
      const given = { ...layout, x: input as Tensor }
      const { y, ...kept } = keep ? keepingForward(given, state.weights) : forward(given, state.weights)
      const needed: Tensors = { ...given, ...kept }
      ;(save as (tensors: Tensor[]) => void)(Object.values(needed))
      return {
        value: y,
        gradFunc: (dy: Tensor, saved: Tensor[]) => {
          const again = Object.fromEntries(Object.keys(needed).map((key, i) => [key, saved[i]!]))
          return backward({ ...(again as Inputs), dy }, state).dx
        },
      }
    })
    return run(x)
  }
}

const KEPT = 'kept '

/** Embeddings [batch, time, hidden] of ids [batch, time]. */
export function embedTokens(config: ModelConfig, { weights }: TrainedWeights, ids: Tensor): Tensor {
  return embed(config, { embed: weights['embed']!.read() }, ids)
}

/** Adds the gradient of what `embedTokens` gave to that of the embedding, if there is one. */
export function addEmbeddingGradient(
  config: ModelConfig,
  { gradients }: TrainedWeights,
  ids: Tensor,
  dy: Tensor,
): void {
  const gradient = gradients['embed']
  if (!gradient) return
  const scaled = config.embeddingScale === 1 ? dy : dy.mul(config.embeddingScale)
  scatterAddRows(gradient, ids.reshape([-1]), scaled.reshape([-1, config.hiddenSize]))
}
