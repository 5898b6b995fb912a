import type { Traced } from '../tensor/compile.js'
import { float32, int32 } from '../tensor/host-tensor.js'
import type { HostTensor } from '../tensor/host-tensor.js'
import { hash } from '../random/seeded-random.js'
import { compileLoss, compileTargetLogprobs, modelWeights } from './loss-function.js'
import type { DropoutInputs, Trainable } from './loss-function.js'
import { memoryGuard } from './memory-model.js'
import type { MemorySetup } from './memory-model.js'
import { perTarget, targetInputs, toMicrobatches } from './microbatch.js'
import { ownRows, packedRows } from './rows.js'
import type { TargetInputs } from './microbatch.js'
import { createOptimizer } from './optimizer.js'
import type { Optimizer, OptimizerSettings } from './optimizer.js'

/** A sequence to imitate. */
export interface Example {
  /** The whole sequence. */
  ids: readonly number[]
  /** How much each token counts in the loss, one per id; the first token never does, for nothing predicts it. */
  tokenWeights: readonly number[]
}

export interface SupervisedSettings extends Partial<OptimizerSettings> {
  bfloat16: boolean
  microbatchTokens: number
  /** Whether rows hold several examples (microbatch.ts). */
  packing: boolean
  /** What the free memory is compared with before each microbatch. */
  memory: MemorySetup
}

/** The optimizer of supervised training: steps, and losses without one. */
export interface SupervisedLearner {
  readonly optimizer: Optimizer
  /**
   * One optimizer step on examples whose weights are not all 0.
   * @param number Of the step, from 0: what an adapter does not hear depends on it.
   * @returns `loss`, the weighted mean of −ln p, and the gradient's norm before clipping
   * @throws where either is not finite; the weights are as they were before
   */
  step(examples: readonly Example[], learningRate: number, number: number): Promise<{ loss: number; gradNorm: number }>
  /** The loss of examples, as that of a step. The model is as it was. */
  measure(examples: readonly Example[]): Promise<number>
  dispose(): void
}

type LossInputs = TargetInputs & DropoutInputs & { weight: HostTensor }

export async function createSupervisedLearner(
  policy: Trainable,
  settings: SupervisedSettings,
): Promise<SupervisedLearner> {
  const { bfloat16, microbatchTokens, packing } = settings
  const model = modelWeights(policy)
  const refuseLarge = memoryGuard(settings.memory)
  const logprobOptions = { temperature: 1, bfloat16 }
  const accumulate = compileLoss('supervised loss', policy, logprobOptions, ({ logprobs }, i: Traced<LossInputs>) => ({
    loss: logprobs.mul(i.weight).sum().neg(),
    metrics: {},
  }))
  const read = compileTargetLogprobs(policy, logprobOptions)
  const optimizer = await createOptimizer(model.trainable, settings)

  /** Microbatches of examples, each with what its targets count: all of them count 1 together. */
  function prepare(examples: readonly Example[]): { inputs: TargetInputs; weight: Float32Array }[] {
    const total = totalWeight(examples)
    const sequences = examples.map(({ ids, tokenWeights }) => ({
      ids,
      trained: tokenWeights.flatMap((weight, place) => (place > 0 && weight > 0 ? [place] : [])),
    }))
    const batches = toMicrobatches(sequences, microbatchTokens, packing ? packedRows(sequences) : ownRows(sequences))
    batches.forEach(refuseLarge)
    return batches.map((batch) => ({
      inputs: targetInputs(batch),
      weight: perTarget(batch, ({ sequence, place }) => examples[sequence]!.tokenWeights[place]! / total),
    }))
  }

  return {
    optimizer,
    async step(examples, learningRate, number) {
      let loss = 0
      for (const [i, { inputs, weight }] of prepare(examples).entries()) {
        const all = { ...inputs, weight: float32(weight), ...dropoutInputs(policy, number, i) }
        const result = await accumulate(all, { ...model, gradients: optimizer.gradients })
        loss += result.loss.data[0]!
      }
      if (!Number.isFinite(loss)) {
        await optimizer.clear()
        throw new Error(
          `the loss must be finite, got ${loss}; the weights are those before this step. Lower the learning rate`,
        )
      }
      return { loss, gradNorm: await optimizer.step(learningRate) }
    },
    async measure(examples) {
      let loss = 0
      for (const { inputs, weight } of prepare(examples)) {
        const { data } = (await read(inputs, model)).logprobs
        weight.forEach((value, i) => (loss -= value > 0 ? value * data[i]! : 0))
      }
      return loss
    },
    dispose() {
      optimizer.dispose()
      accumulate.dispose()
      read.dispose()
    },
  }
}

/** What all tokens of examples count together. */
export const totalWeight = (examples: readonly Example[]): number =>
  examples.reduce((sum, { tokenWeights }) => sum + tokenWeights.slice(1).reduce((a, b) => a + b, 0), 0)

/** What the adapter does not hear depends on its seed, the step and the microbatch alone. */
function dropoutInputs({ adapter }: Trainable, step: number, microbatch: number): DropoutInputs {
  if (!adapter || adapter.dropout === 0) return {}
  return { dropoutSeed: int32([hash(adapter.seed, step, microbatch) | 0], []) }
}
