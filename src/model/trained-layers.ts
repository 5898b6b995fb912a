import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { graphFunction } from '../tensor/graph-function.js'
import { scatterAddRows } from '../tensor/ops.js'
import { tf } from '../tensor/runtime.js'
import { withDropout } from './adapter-dropout.js'
import type { ModelConfig } from './config.js'
import { embed, norm, ofLayer, runLayer } from './forward.js'
import type { ByKind, Layout } from './forward.js'
import { readWeights } from './weights.js'
import type { Weights } from './weights.js'

type Tensor = TensorFlow.Tensor

/** Weights of a model that learns. */
export interface TrainedWeights {
  /** All of them by key. */
  weights: Weights
  /** What the gradients of some of them are added to; the others are frozen. */
  gradients: Weights
}

/**
 * All layers over embedded sequences. A layer is one function of the graph, and so is its gradient, which computes the
 * layer once more: nothing lives on between the two but the layer's input.
 * @param x [batch, time, hidden]
 * @param dropoutSeed int32, no dimensions: with it, inputs of the adapter are dropped
 * @returns hidden states after the final norm [batch, time, hidden]; their gradient changes `gradients`
 */
export function runTrainedLayers(
  config: ModelConfig,
  state: TrainedWeights,
  x: Tensor,
  layouts: ByKind<Layout>,
  dropoutSeed?: Tensor,
): Tensor {
  const layer = trained('layer', (values, input, { layerSeed, ...layout }: Layout & { layerSeed?: Tensor }) =>
    runLayer(config, layerSeed ? withDropout(values, layerSeed) : values, input, layout),
  )
  const finalNorm = trained('final norm', (values, input) => norm(config, values, 'finalNorm', input))
  for (let i = 0; i < config.layers; i++) {
    const layout = config.sliding?.layers[i] ? layouts.sliding! : layouts.full
    const seeded = dropoutSeed ? { ...layout, layerSeed: tf.stack([dropoutSeed, tf.scalar(i, 'int32')]) } : layout
    x = layer({ weights: ofLayer(state.weights, i), gradients: ofLayer(state.gradients, i) }, x, seeded)
  }
  return finalNorm(onlyWeight(state, 'finalNorm'), x, {})
}

/** The part of the state that has one weight. */
export function onlyWeight({ weights, gradients }: TrainedWeights, key: string): TrainedWeights {
  const only = (of: Weights): Weights => Object.fromEntries(Object.entries(of).filter(([name]) => name === key))
  return { weights: only(weights), gradients: only(gradients) }
}

/**
 * A part of a model as a function of its own, with a gradient that is one too: it computes the part again and adds the
 * gradients of the weights to their variables.
 */
export function trained<L extends object>(
  name: string,
  part: (weights: Record<string, Tensor>, x: Tensor, layout: L) => Tensor,
): (weights: TrainedWeights, x: Tensor, layout: L) => Tensor {
  type Inputs = Record<string, Tensor>
  const forward = graphFunction(name, ({ x, ...layout }: Inputs & { x: Tensor }, weights: Weights) => ({
    y: part(readWeights(weights), x, layout as L),
  }))
  const backward = graphFunction(
    `gradient of ${name}`,
    ({ x, dy, ...layout }: Inputs & { x: Tensor; dy: Tensor }, { weights, gradients }: TrainedWeights) => {
      const fixed = readWeights(weights)
      const keys = Object.keys(gradients)
      const objective = (input: Tensor, ...values: Tensor[]): Tensor => {
        const learned = Object.fromEntries(keys.map((key, i) => [key, values[i]!]))
        return part({ ...fixed, ...learned }, input, layout as L)
      }
      const [dx, ...changes] = tf.grads(objective)([x, ...keys.map((key) => fixed[key]!)], dy)
      keys.forEach((key, i) => gradients[key]!.add(changes[i]!))
      return { dx: dx! }
    },
  )
  return (state, x, layout) => {
    const keys = Object.keys(layout)
    const values = Object.values(layout) as Tensor[]
    const named = (tensors: Tensor[]): Inputs => Object.fromEntries(keys.map((key, i) => [key, tensors[i]!]))
    const run = tf.customGrad((input, save) => {
      ;(save as (tensors: Tensor[]) => void)([input as Tensor, ...values])
      return {
        value: forward({ ...named(values), x: input as Tensor }, state.weights).y,
        gradFunc: (dy: Tensor, [saved, ...others]: Tensor[]) => backward({ ...named(others), x: saved!, dy }, state).dx,
      }
    })
    return run(x)
  }
}

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
