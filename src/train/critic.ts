import { z } from 'zod'
import { lossShares } from '../algorithm/loss-share.js'
import { clippedValueLoss } from '../algorithm/value-loss.js'
import { cloneWeights, disposeWeights } from '../model/weights.js'
import type { Weights } from '../model/weights.js'
import type { Traced } from '../tensor/compile.js'
import { float32 } from '../tensor/host-tensor.js'
import type { HostTensor } from '../tensor/host-tensor.js'
import type { LearnerSettings } from './learner.js'
import { scheduleFactor } from './learning-rate.js'
import { compileLoss, compileTargets, modelWeights } from './loss-function.js'
import type { ModelWeights, Trainable } from './loss-function.js'
import { perTarget, rolloutMicrobatches, targetInputs } from './microbatch.js'
import { NotFiniteError } from './not-finite.js'
import type { Microbatch, TargetInputs } from './microbatch.js'
import type { Sequence } from './rows.js'
import { createOptimizer } from './optimizer.js'
import type { Optimizer } from './optimizer.js'
import type { PolicySettings } from './policy-settings.js'
import type { CriticSteps } from './policy-updater.js'
import { readRows, rowsInput } from './target-rows.js'
import type { TokenRows } from './target-rows.js'
import type { TrainedSequence } from './trained-batch.js'
import { createValueHead, valuesOf } from './value-head.js'

/** Settings of PPO's critic. */
export interface CriticSettings {
  /**
   * False: a copy of what the policy trains (its adapter, where it has one) with a value head, which learns by itself. True: the head is on the policy, which halves the
   * memory, and both learn by one loss at the policy's learning rate. Default false, as in the paper.
   */
  shared: boolean
  /** Full learning rate of a critic of its own. Default 1e-5, as in the paper. */
  learningRate: number
  /** Share of the updates over which it grows. Default 0.015, as in the paper's scripts. */
  warmupRatio: number
  /** Updates at the start in which a critic of its own learns alone, before it is believed. Default 0. */
  warmupUpdates: number
  /** How far a value may move in one batch. Default 0.5, as in verl and the paper's scripts. */
  valueClip: number
  /** Weight of the value loss beside the policy's, for a shared critic. Default 0.1, as in TRL. */
  valueCoef: number
}

export const criticSchema: z.ZodType<CriticSettings, unknown> = z.strictObject({
  shared: z.boolean().default(false),
  learningRate: z.number().positive().default(1e-5),
  warmupRatio: z.number().min(0).max(1).default(0.015),
  warmupUpdates: z.int().min(0).default(0),
  valueClip: z.number().positive().default(0.5),
  valueCoef: z.number().positive().default(0.1),
})

/** A critic of its own: a copy of the policy with a value head. Below an adapter, both have one model. */
export interface Critic {
  readonly weights: Weights
  readonly optimizer: Optimizer
  /** What it says before each policy token. */
  values(sequences: readonly TrainedSequence[]): Promise<number[][]>
  /**
   * Its part of the steps on a batch, and what they measured.
   * @param update From 0: decides the learning rate.
   */
  steps(
    sequences: readonly TrainedSequence[],
    oldValues: TokenRows,
    returns: TokenRows,
    update: number,
  ): CriticSteps & { measures(): Record<string, number> }
  dispose(): void
}

type LossInputs = TargetInputs & Record<'oldValues' | 'returns' | 'share', HostTensor>

export async function createCritic(
  policy: Trainable,
  critic: CriticSettings,
  settings: LearnerSettings & Pick<PolicySettings, 'lossDivisor'> & { updates: number },
): Promise<Critic> {
  const { trainable: learned, frozen } = modelWeights(policy)
  const trainable = { ...(await cloneWeights(learned)), ...(await createValueHead(policy)) }
  const model = { trainable, frozen }
  const optimizer = await createOptimizer(trainable, settings)
  const microbatchesOf = (sequences: readonly Sequence[]): Microbatch[] =>
    rolloutMicrobatches(sequences, policy.config, settings.microbatchTokens)
  const valuesCompiled = compileValues(policy, settings)
  const accumulate = compileLoss('value loss', policy, settings, (outputs, inputs: Traced<LossInputs>) =>
    clippedValueLoss({ ...inputs, values: valuesOf(outputs) }, critic.valueClip),
  )
  return {
    weights: trainable,
    optimizer,
    values: (sequences) => readValues(valuesCompiled, model, sequences, microbatchesOf(sequences)),
    steps(sequences, oldValues, returns, update) {
      const sums = { loss: 0, clipped: 0, tokens: 0, steps: 0, norm: 0 }
      return {
        async accumulate(places) {
          const members = places.map((place) => sequences[place]!)
          const lengths = members.map(({ trained }) => trained.length)
          // A value is of a token, so that tokens count alike, whatever the policy's loss does.
          const shares = lossShares(lengths, { aggregation: 'token' })
          sums.tokens += lengths.reduce((a, b) => a + b, 0)
          sums.steps++
          for (const batch of microbatchesOf(members)) {
            const inputs = {
              ...targetInputs(batch),
              oldValues: rowsInput(batch, oldValues, places),
              returns: rowsInput(batch, returns, places),
              share: float32(perTarget(batch, ({ sequence }) => shares[sequence]!)),
            }
            const result = await accumulate(inputs, { ...model, gradients: optimizer.gradients })
            sums.loss += result.loss.data[0]!
            sums.clipped += result.valueClipped.data[0]!
          }
        },
        async check() {
          if (!Number.isFinite(sums.loss)) {
            throw new NotFiniteError(
              `critic update: the loss must be finite, got ${sums.loss}; policy and critic are as before this step. ` +
                "Lower the critic's learning rate, or go back to an earlier checkpoint",
            )
          }
          return optimizer.check()
        },
        async apply(norm) {
          sums.norm = Math.max(sums.norm, norm)
          const rate = critic.learningRate * scheduleFactor(update, settings.updates, critic.warmupRatio)
          await optimizer.apply(rate, norm)
        },
        clear: () => optimizer.clear(),
        measures: () => ({
          valueLoss: sums.loss / Math.max(1, sums.steps),
          valueClipFraction: sums.clipped / Math.max(1, sums.tokens),
          criticGradNorm: sums.norm,
        }),
      }
    },
    dispose() {
      disposeWeights(trainable)
      optimizer.dispose()
      valuesCompiled.dispose()
      accumulate.dispose()
    },
  }
}

/** What a value head among the weights says before each trained token. */
export const compileValues = (policy: Trainable, settings: LearnerSettings) =>
  compileTargets('values', policy, settings, (outputs) => ({ values: valuesOf(outputs) }))

/** What a value head says before each policy token of a batch. */
export function readValues(
  compiled: ReturnType<typeof compileValues>,
  model: ModelWeights,
  sequences: readonly Sequence[],
  microbatches: readonly Microbatch[],
): Promise<number[][]> {
  return readRows(sequences, microbatches, async (inputs) => (await compiled(inputs, model)).values)
}
