import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { tf } from '../tensor/runtime.js'
import type { WeightTensors } from './forward.js'

const MATRIX = '.loraA'

/** More than a layer has linear weights. */
const MODULES = 32

/**
 * Weights of a layer under which the inputs of each pair of low-rank matrices are dropped, by a seed of its own.
 * @param layerSeed int32 [2], a seed and the layer's number: the same ones drop the same inputs
 */
export function withDropout(weights: WeightTensors, layerSeed: TensorFlow.Tensor): WeightTensors {
  const modules = Object.keys(weights).filter((key) => key.endsWith(MATRIX))
  const seeds = modules.map((key, i) => {
    const seed = layerSeed.mul(tf.tensor1d([1, MODULES], 'int32')).add(tf.tensor1d([0, i], 'int32'))
    return [`${key.slice(0, -MATRIX.length)}.dropoutSeed`, seed] as const
  })
  return { ...weights, ...Object.fromEntries(seeds) }
}
