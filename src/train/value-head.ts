import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { onlyWeight, trained } from '../model/trained-layers.js'
import { uploadWeight } from '../model/weights.js'
import type { Weights } from '../model/weights.js'
import type { TargetOutputs, Trainable } from './loss-function.js'

/** The key of a value head's weight [hidden, 1]. */
const KEY = 'valueHead'

/** A value head that says 0 of everything: a linear map of the final hidden state, without a bias. */
export async function createValueHead({ config }: Trainable): Promise<Weights> {
  return { [KEY]: await uploadWeight(KEY, [config.hiddenSize, 1], new Float32Array(config.hiddenSize)) }
}

/** What the state's value head says before each trained token [targets]. */
export function valuesOf({ hidden, state }: TargetOutputs): TensorFlow.Tensor {
  const head = trained('value head', (weights, rows) => rows.matMul(weights[KEY]!))
  return head(onlyWeight(state, KEY), hidden, {}, false).reshape([-1])
}
