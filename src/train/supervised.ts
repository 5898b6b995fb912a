import type { ModelConfig } from '../model/config.js'
import type { Weights } from '../model/weights.js'
import { float32 } from '../tensor/host-tensor.js'
import type { HostTensor } from '../tensor/host-tensor.js'
import type { Traced } from '../tensor/compile.js'
import { targetLogprobs } from '../tensor/ops.js'
import { compileLoss } from './loss-function.js'
import type { TargetInputs } from './loss-function.js'
import { perTarget, toMicrobatches } from './microbatch.js'
import { createOptimizer } from './optimizer.js'
import type { OptimizerOptions } from './optimizer.js'

/** A sequence to imitate. `weights` (one per id) say how much each token counts; the first token never does. */
export interface Example {
  ids: readonly number[]
  weights: readonly number[]
}

export interface SupervisedOptions extends OptimizerOptions {
  /** Number of optimizer steps. */
  steps: number
  /** Gives the examples of a step (from 0). */
  batch(step: number): readonly Example[]
  /** Learning rate of a step (from 0). */
  learningRate(step: number): number
  /** Tokens of a microbatch; memory grows with it. Default 4096. */
  microbatchTokens?: number
  /** Compute matrix products in bfloat16; default true. */
  bfloat16?: boolean
  /** After each step. May be asynchronous: training waits. */
  onStep?(record: SupervisedRecord): void | Promise<void>
  signal?: AbortSignal
}

export interface SupervisedRecord {
  step: number
  /** Weighted mean negative log-likelihood of the batch, in nats per token. */
  loss: number
  gradNorm: number
  learningRate: number
  /** Ids of the batch, trained or not. */
  tokens: number
}

/**
 * Supervised fine-tuning: `weights` are changed in place.
 * Throws when the loss is not finite, with the weights as they were before that step.
 */
export async function trainSupervised(
  config: ModelConfig,
  weights: Weights,
  options: SupervisedOptions,
): Promise<void> {
  const { microbatchTokens = 4096, bfloat16 = true, signal } = options
  const accumulate = compileLoss('supervised loss', config, bfloat16, (logits, inputs: Traced<LossInputs>) => ({
    loss: targetLogprobs(logits, inputs.targets).mul(inputs.weight).sum().neg(),
    metrics: {},
  }))
  const optimizer = await createOptimizer(weights, options)
  try {
    for (let step = 0; step < options.steps && !signal?.aborted; step++) {
      const examples = options.batch(step)
      const total = examples.reduce((sum, example) => sum + example.weights.slice(1).reduce((a, b) => a + b, 0), 0)
      if (!(total > 0)) throw new Error(`supervised fine-tuning: step ${step} has no token with a weight above 0`)
      const sequences = examples.map(({ ids, weights: own }) => ({
        ids,
        trained: own.flatMap((weight, place) => (place > 0 && weight > 0 ? [place] : [])),
      }))
      let loss = 0
      for (const batch of toMicrobatches(sequences, microbatchTokens)) {
        const weight = perTarget(batch, ({ sequence, place }) => examples[sequence]!.weights[place]! / total)
        const { ids, at, targets } = batch
        const result = await accumulate(
          { ids, at, targets, weight: float32(weight) },
          { weights, gradients: optimizer.gradients },
        )
        loss += result.loss.data[0]!
      }
      if (!Number.isFinite(loss)) {
        throw new Error(
          `supervised fine-tuning: the loss of step ${step} must be finite, got ${loss}; the weights are those before this step. ` +
            'Lower the learning rate',
        )
      }
      const learningRate = options.learningRate(step)
      const gradNorm = await optimizer.step(learningRate)
      const tokens = examples.reduce((sum, example) => sum + example.ids.length, 0)
      await options.onStep?.({ step, loss, gradNorm, learningRate, tokens })
    }
  } finally {
    optimizer.dispose()
    accumulate.dispose()
  }
}

type LossInputs = TargetInputs & { weight: HostTensor }
