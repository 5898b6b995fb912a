import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { headKey } from '../model/forward.js'
import { targetLogprobs } from '../model/target-logprobs.js'
import { addEmbeddingGradient, embedTokens, runTrainedLayers } from '../model/trained-layers.js'
import type { TrainedWeights } from '../model/trained-layers.js'
import type { Weights } from '../model/weights.js'
import type { LocalModel } from '../language-model/local-model.js'
import { compile } from '../tensor/compile.js'
import type { Compiled, Input, Traced } from '../tensor/compile.js'
import type { HostTensor } from '../tensor/host-tensor.js'
import { gatherRows } from '../tensor/ops.js'
import { tf } from '../tensor/runtime.js'
import type { TargetInputs } from './microbatch.js'

type Tensor = TensorFlow.Tensor

/** The parts of a local model that training needs. */
export type Trainable = Pick<LocalModel, 'config' | 'weights' | 'tokenizer' | 'adapter'>

/** A model's weights in two parts: gradients are taken of the trainable ones alone. A key is in one of them. */
export interface ModelWeights {
  trainable: Weights
  frozen: Weights
}

/** Which of a model's weights are trained: those of its adapter, or all where it has none. */
export function modelWeights({ weights, adapter }: Trainable): ModelWeights {
  return adapter ? { trainable: adapter.weights, frozen: weights } : { trainable: weights, frozen: {} }
}

/** What a compiled loss function reads, and the gradients that it adds to: one for each trainable weight. */
export interface TrainingState extends ModelWeights {
  gradients: Weights
}

/** With a seed (int32, no dimensions), inputs of the adapter are dropped. */
export interface DropoutInputs {
  dropoutSeed?: HostTensor
}

/** What the model says about the trained tokens. */
export interface TargetOutputs {
  /**
   * Log-probability of each [targets], at the temperature and over the tokenizer's ids, as the sampler has it. Logits are
   * computed by whoever reads it.
   */
  readonly logprobs: Tensor
  /** Hidden states that predict them [targets, hidden], after the final norm: what a value head reads. */
  hidden: Tensor
  /** All weights, and the gradients of those that learn. */
  state: TrainedWeights
}

export interface LogprobOptions {
  /** Logits are divided by it. */
  temperature: number
  /** Matrix products in bfloat16. */
  bfloat16: boolean
}

/** Logits are computed where the trained tokens are predicted, and nowhere else. */
function targetOutputs(
  { config, tokenizer }: Trainable,
  temperature: number,
  { weights, gradients }: TrainedWeights,
  embedded: Tensor,
  inputs: Traced<TargetInputs & DropoutInputs>,
): TargetOutputs {
  const { ids, starts, shared, dropoutSeed } = inputs
  const states = runTrainedLayers(config, { weights, gradients }, ids, embedded, {
    ...(starts && { starts }),
    ...(shared && { shared }),
    ...(dropoutSeed && { dropoutSeed }),
  })
  const hidden = gatherRows(states.reshape([-1, config.hiddenSize]), inputs.logitRows)
  const key = headKey(config)
  const gradient = gradients[key]
  const head = { weight: weights[key]!, ...(gradient && { gradient }) }
  const options = { vocabulary: tokenizer.vocabSize, temperature }
  return {
    get logprobs() {
      return targetLogprobs(config, head, hidden, inputs.targets, options)
    },
    hidden,
    state: { weights, gradients },
  }
}

/** Compiles what is read of a model at the trained tokens, without gradients. */
export function compileTargets<R extends Record<string, Tensor>>(
  name: string,
  model: Trainable,
  { temperature, bfloat16 }: LogprobOptions,
  read: (outputs: TargetOutputs) => R,
): Compiled<TargetInputs, ModelWeights, R> {
  return compile(
    name,
    (inputs: Traced<TargetInputs>, { trainable, frozen }: ModelWeights) => {
      const state = { weights: { ...trainable, ...frozen }, gradients: {} }
      const embedded = embedTokens(model.config, state, inputs.ids)
      return read(targetOutputs(model, temperature, state, embedded, inputs))
    },
    { bfloat16 },
  )
}

/** Log-probabilities of the trained tokens, without gradients. */
export const compileTargetLogprobs = (
  model: Trainable,
  options: LogprobOptions,
): Compiled<TargetInputs, ModelWeights, { logprobs: Tensor }> =>
  compileTargets('logprobs', model, options, ({ logprobs }) => ({ logprobs }))

/**
 * Compiles one accumulation step: loss and metrics of a microbatch, its gradient added to `state.gradients`.
 * @param loss From what the model says about the trained tokens to a scalar `loss` and metrics that carry no gradient.
 */
export function compileLoss<I extends TargetInputs & { [K in keyof I]: Input }, M extends Record<string, Tensor>>(
  name: string,
  model: Trainable,
  { temperature, bfloat16 }: LogprobOptions,
  loss: (outputs: TargetOutputs, inputs: Traced<I>) => { loss: Tensor; metrics: M },
): Compiled<I, TrainingState, M & { loss: Tensor }> {
  return compile(
    name,
    (inputs: Traced<I>, { trainable, frozen, gradients }: TrainingState) => {
      const { config } = model
      const state = { weights: { ...trainable, ...frozen }, gradients }
      let metrics: M | undefined
      const objective = (embedded: Tensor): TensorFlow.Scalar => {
        const result = loss(targetOutputs(model, temperature, state, embedded, inputs), inputs)
        metrics = result.metrics
        Object.values(result.metrics).forEach((metric) => tf.keep(metric))
        return result.loss as TensorFlow.Scalar
      }
      const { value, grad } = tf.valueAndGrad(objective)(embedTokens(config, state, inputs.ids))
      addEmbeddingGradient(config, state, inputs.ids, grad)
      return { ...metrics!, loss: value }
    },
    { bfloat16 },
  )
}
