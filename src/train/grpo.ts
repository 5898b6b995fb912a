import { z } from 'zod'
import { groupAdvantages } from '../algorithm/group-advantage.js'
import { lossShares } from '../algorithm/loss-share.js'
import { clippedPolicyLoss } from '../algorithm/policy-loss.js'
import type { Traced } from '../tensor/compile.js'
import { float32 } from '../tensor/host-tensor.js'
import type { HostTensor } from '../tensor/host-tensor.js'
import type { Learner, LearnerSettings, LearnerStep } from './learner.js'
import { compileLoss, compileTargetLogprobs, modelWeights } from './loss-function.js'
import type { TargetInputs, Trainable } from './loss-function.js'
import { perTarget, toMicrobatches } from './microbatch.js'
import type { Microbatch } from './microbatch.js'
import { createOptimizer } from './optimizer.js'
import { samplingDifferences } from './sampling-difference.js'
import { createReference } from './reference.js'

/** Settings of GRPO (arXiv 2402.03300) beside those of every learner. */
export interface GrpoSettings {
  /**
   * The probability ratio is clipped to 1 ± this. It has no effect yet: each batch is used for exactly one optimizer step,
   * so the policy that learns is the one that sampled, and the ratio is always 1. Default 0.2.
   */
  clip: number
  /** Weight of the divergence from the starting policy (k3) in the loss. Default 0.001, as in the paper. */
  klCoef: number
  /**
   * `token`: all policy tokens of the batch count alike; `sequence`: all trajectories do (GRPO's own mean).
   * Default `token`.
   */
  lossAggregation: 'token' | 'sequence'
  /**
   * How the reference policy's weights are kept: `bfloat16` takes half of the memory. The divergence then begins at that
   * of the rounding, which is 0 for a model that was published in bfloat16. Default `float32`.
   */
  reference: 'float32' | 'bfloat16'
}

export const grpoSettings = {
  clip: z.number().positive().default(0.2),
  klCoef: z.number().min(0).default(0.001),
  lossAggregation: z.enum(['token', 'sequence']).default('token'),
  reference: z.enum(['float32', 'bfloat16']).default('float32'),
}

type LossInputs = TargetInputs & Record<'oldLogprobs' | 'refLogprobs' | 'advantages' | 'share', HostTensor>

/** Group-relative policy optimization: one optimizer step a batch. The policy as it is now becomes the reference. */
export async function createGrpo(policy: Trainable, settings: GrpoSettings & LearnerSettings): Promise<Learner> {
  const { clip, klCoef, lossAggregation, bfloat16, microbatchTokens } = settings
  const model = modelWeights(policy)
  const reference = await createReference(policy, settings.reference)
  const optimizer = await createOptimizer(model.trainable, settings)
  const logprobsOf = compileTargetLogprobs(policy, settings)
  const accumulate = compileLoss('policy loss', policy, settings, ({ logprobs }, inputs: Traced<LossInputs>) => {
    const { loss, metrics } = clippedPolicyLoss({ ...inputs, logprobs }, { klCoef, clipLow: clip, clipHigh: clip })
    return { loss, metrics: { ...metrics, logprobs } }
  })

  /** What the loss needs of one microbatch; `share` and `advantage` are given for each sequence. */
  async function lossInputs(batch: Microbatch, sequences: readonly TrainedSequence[], shares: readonly number[]) {
    const { ids, logitRows, targets } = batch
    const tokens = { ids, logitRows, targets }
    const oldLogprobs = bfloat16
      ? (await logprobsOf(tokens, model)).logprobs
      : float32(perTarget(batch, ({ sequence, place }) => sequences[sequence]!.logprobs[place]!))
    const refLogprobs = (await logprobsOf(tokens, reference.weights)).logprobs
    return {
      ...tokens,
      oldLogprobs,
      refLogprobs,
      advantages: float32(perTarget(batch, ({ sequence }) => sequences[sequence]!.advantage)),
      share: float32(perTarget(batch, ({ sequence }) => shares[sequence]!)),
    }
  }

  return {
    async step(groups, learningRate) {
      const advantages = groupAdvantages(groups.map(({ rewards }) => rewards))
      const sequences = groups.flatMap(({ trajectories }, group) =>
        trajectories.map(({ ids, lossMask, logprobs }, i): TrainedSequence => ({
          ids,
          trained: lossMask.flatMap((mask, place) => (mask === 1 ? [place] : [])),
          logprobs,
          advantage: advantages[group]![i]!,
        })),
      )
      const lengths = sequences.map(({ trained }) => trained.length)
      const tokens = lengths.reduce((a, b) => a + b, 0)
      const shares = lossShares(lengths, { aggregation: lossAggregation })
      const total: LearnerStep = { loss: 0, kl: 0, clipFraction: 0, gradNorm: 0 }
      const differences = samplingDifferences()
      for (const batch of toMicrobatches(sequences, microbatchTokens)) {
        const inputs = await lossInputs(batch, sequences, shares)
        const result = await accumulate(inputs, { ...model, gradients: optimizer.gradients })
        total.loss += result.loss.data[0]!
        total.kl += result.kl.data[0]! / Math.max(1, tokens)
        total.clipFraction += result.clipped.data[0]! / Math.max(1, tokens)
        differences.add(batch, result.logprobs, sequences)
      }
      Object.assign(total, differences.result())
      if (!Number.isFinite(total.loss)) {
        await optimizer.clear()
        throw new Error(
          `policy update: the loss must be finite, got ${total.loss}; the weights are those before the update. ` +
            'Lower the learning rate, or go back to an earlier checkpoint',
        )
      }
      // Before its first step the policy is the reference, so that there is no divergence to reduce either.
      const diverged = klCoef > 0 && optimizer.steps > 0
      const skipped = nothingToLearn(sequences, diverged)
      if (skipped !== undefined) {
        // What has been accumulated is 0 up to rounding, but a step would also move the weights on Adam's momentum.
        await optimizer.clear()
        return { ...total, skipped }
      }
      total.gradNorm = await optimizer.step(learningRate)
      return total
    },
    state: () => ({
      weights: { ...(reference.copy && { reference: reference.copy }), optimizer: optimizer.moments },
      counters: { optimizerSteps: optimizer.steps, referenceIsBase: Number(reference.isBase) },
    }),
    async restore({ optimizerSteps, referenceIsBase }) {
      await reference.become(referenceIsBase === 1)
      optimizer.steps = optimizerSteps!
    },
    dispose() {
      reference.dispose()
      optimizer.dispose()
      accumulate.dispose()
      logprobsOf.dispose()
    },
  }
}

/** A trajectory as the loss sees it. */
interface TrainedSequence {
  ids: readonly number[]
  /** Places of the policy's own tokens. */
  trained: readonly number[]
  logprobs: readonly number[]
  advantage: number
}

/** Why a batch holds no evidence, if it doesn't. */
function nothingToLearn(sequences: readonly TrainedSequence[], diverged: boolean): string | undefined {
  if (sequences.length === 0) return 'no trajectory'
  if (sequences.every(({ trained }) => trained.length === 0)) return 'no token of the policy'
  const informative = sequences.some(({ trained, advantage }) => trained.length > 0 && advantage !== 0)
  return informative || diverged ? undefined : 'no advantage'
}
