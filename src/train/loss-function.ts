import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import type { ModelConfig } from '../model/config.js'
import { hiddenStates, unembed } from '../model/forward.js'
import type { WeightTensors } from '../model/forward.js'
import { readWeights } from '../model/weights.js'
import type { Weights } from '../model/weights.js'
import { compile } from '../tensor/compile.js'
import type { Compiled, Input, Traced } from '../tensor/compile.js'
import type { HostTensor } from '../tensor/host-tensor.js'
import { gatherRows, targetLogprobs } from '../tensor/ops.js'
import { tf } from '../tensor/runtime.js'

type Tensor = TensorFlow.Tensor

/** The part of every loss's inputs that says which tokens of which sequences are trained (see microbatch.ts). */
export type TargetInputs = Record<'ids' | 'at' | 'targets', HostTensor>

export interface TrainingState {
  weights: Weights
  gradients: Weights
}

/** Logits [targets, vocabulary] where the trained tokens are predicted: no others are computed. */
function targetLogits(config: ModelConfig, weights: WeightTensors, inputs: Traced<TargetInputs>): Tensor {
  const hidden = hiddenStates(config, weights, inputs.ids).reshape([-1, config.hiddenSize])
  return unembed(config, weights, gatherRows(hidden, inputs.at))
}

/** Log-probabilities of the trained tokens at a temperature, without gradients. */
export function compileTargetLogprobs(
  config: ModelConfig,
  bfloat16: boolean,
): Compiled<TargetInputs & { temperature: number }, Weights, { logprobs: Tensor }> {
  return compile(
    'logprobs',
    (inputs: Traced<TargetInputs & { temperature: number }>, weights: Weights) => {
      const logits = targetLogits(config, readWeights(weights), inputs).div(inputs.temperature)
      return { logprobs: targetLogprobs(logits, inputs.targets) }
    },
    { bfloat16 },
  )
}

/**
 * Compiles one accumulation step: loss and metrics of a microbatch, its gradient added to `state.gradients`.
 * @param loss From log-probabilities [targets] and the logits they come from to a scalar `loss` and metrics that carry
 * no gradient.
 */
export function compileLoss<I extends TargetInputs & { [K in keyof I]: Input }, M extends Record<string, Tensor>>(
  name: string,
  config: ModelConfig,
  bfloat16: boolean,
  loss: (logits: Tensor, inputs: Traced<I>) => { loss: Tensor; metrics: M },
): Compiled<I, TrainingState, M & { loss: Tensor }> {
  return compile(
    name,
    (inputs: Traced<I>, state: TrainingState) => {
      const keys = Object.keys(state.weights)
      let metrics: M | undefined
      const objective = (...values: Tensor[]): TensorFlow.Scalar => {
        const weights = Object.fromEntries(keys.map((key, i) => [key, values[i]!]))
        const result = loss(targetLogits(config, weights, inputs), inputs)
        metrics = result.metrics
        Object.values(result.metrics).forEach((metric) => tf.keep(metric))
        return result.loss as TensorFlow.Scalar
      }
      const tensors = keys.map((key) => state.weights[key]!.read())
      const { value, grads } = tf.valueAndGrads(objective)(tensors)
      keys.forEach((key, i) => state.gradients[key]!.add(grads[i]!))
      return { ...metrics!, loss: value }
    },
    { bfloat16 },
  )
}
