import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { tf } from '../tensor/runtime.js'
import type { WeightTensors } from './forward.js'

const MATRIX = '.loraA'

/**
 * Weights under which the inputs of each adapted weight's low-rank matrices are dropped, by a seed of its own.
 * @param seed int32, no dimensions: the same one drops the same inputs
 */
export function withDropout(weights: WeightTensors, seed: TensorFlow.Tensor): WeightTensors {
  const modules = Object.keys(weights).filter((key) => key.endsWith(MATRIX))
  const seeds = modules.map((key, i) => {
    const module = key.slice(0, -MATRIX.length)
    return [`${module}.dropoutSeed`, tf.stack([seed, tf.scalar(i, 'int32')])] as const
  })
  return { ...weights, ...Object.fromEntries(seeds) }
}
