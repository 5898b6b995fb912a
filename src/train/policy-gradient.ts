import { adaptKlCoef } from '../algorithm/adaptive-kl.js'
import { klEstimates } from '../algorithm/kl-estimate.js'
import { tokenRewards } from '../algorithm/token-rewards.js'
import type { Learner } from './learner.js'
import type { Trainable } from './loss-function.js'
import { createPolicyUpdater } from './policy-updater.js'
import type { UpdaterSettings } from './policy-updater.js'
import type { TokenRows } from './target-rows.js'
import { inGroups, noEvidence, trainedBatch } from './trained-batch.js'
import type { TrainedSequence } from './trained-batch.js'

/** The rewards of a batch, a divergence in the reward in them. */
export interface BatchRewards {
  /** A row for each trajectory, with a value for each policy token. */
  tokens: number[][]
  /** The whole reward of each trajectory, group by group. */
  groups: number[][]
  /** Number of policy tokens of each trajectory, group by group. */
  lengths: number[][]
}

/** What a batch's rewards say of each policy token, under an algorithm's settings. */
export type AdvantagesOf<S> = (
  rewards: BatchRewards,
  settings: S,
  /** What the critic said before each; of an algorithm that has one. */
  values?: TokenRows,
) => {
  advantages: number[][]
  /** What the critic is to learn. */
  returns?: number[][]
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
const mean = (values: readonly number[]): number => (values.length === 0 ? 0 : sum(values) / values.length)

/** One value for each trajectory, as that of each of its policy tokens. */
export const onTokens = (
  groups: readonly (readonly number[])[],
  lengths: readonly (readonly number[])[],
): number[][] => {
  const counts = lengths.flat()
  return groups.flat().map((value, i) => new Array<number>(counts[i]!).fill(value))
}

/** The weight of a divergence in the reward, which may adapt, and the rewards with it. */
export function createRewardShaping({ klIn, klCoef, klEstimator, klClamp, adaptiveKl }: UpdaterSettings) {
  const inReward = klIn === 'reward' && (klCoef > 0 || adaptiveKl !== undefined)
  return {
    klCoef,
    /** @param diverged False while the policy is the reference: what is not 0 then is rounding. */
    rewards(
      sequences: readonly TrainedSequence[],
      groupSizes: readonly number[],
      { oldLogprobs, refLogprobs }: Record<'oldLogprobs' | 'refLogprobs', TokenRows>,
      diverged: boolean,
    ): BatchRewards & { kl: number[][] } {
      const kl = oldLogprobs.map((row, i) =>
        inReward && diverged
          ? klEstimates(row, refLogprobs[i]!, { estimator: klEstimator, clamp: klClamp })
          : row.map(() => 0),
      )
      const tokens = kl.map((row, i) => tokenRewards(sequences[i]!.reward, row, this.klCoef))
      // Without a policy token there is no place for the reward; its group still has it.
      const whole = tokens.map((row, i) => (row.length === 0 ? sequences[i]!.reward : sum(row)))
      return {
        kl,
        tokens,
        groups: inGroups(whole, groupSizes),
        lengths: inGroups(
          tokens.map((row) => row.length),
          groupSizes,
        ),
      }
    },
    /** After a batch: the next weight, where it adapts. */
    adapt(kl: number[][]): void {
      if (adaptiveKl) this.klCoef = adaptKlCoef(this.klCoef, mean(kl.map(mean)), kl.length, adaptiveKl)
    },
    /** What a record says of it, and a saved run keeps. */
    measures(): { klCoef?: number } {
      return adaptiveKl ? { klCoef: this.klCoef } : {}
    },
    restore({ klCoef }: { klCoef?: number }): void {
      if (klCoef !== undefined) this.klCoef = klCoef
    },
  }
}

/**
 * The learner of all algorithms without a critic: they differ in their advantages and in their settings' defaults.
 */
export async function createPolicyGradient<S extends UpdaterSettings>(
  policy: Trainable,
  settings: S,
  advantagesOf: AdvantagesOf<S>,
): Promise<Learner> {
  const updater = await createPolicyUpdater(policy, settings)
  const shaping = createRewardShaping(settings)
  const { optimizer } = updater
  return {
    async step(groups, learningRate) {
      const { sequences, groupSizes } = trainedBatch(groups, settings.maskObservations)
      const skipped = noEvidence(sequences)
      if (skipped !== undefined) return { loss: 0, kl: 0, clipFraction: 0, gradNorm: 0, skipped }
      const { samplerKl, ...measured } = await updater.measure(sequences)
      const rewards = shaping.rewards(sequences, groupSizes, measured, optimizer.steps > 0)
      const { advantages } = advantagesOf(rewards, settings)
      const rows = { ...measured, advantages }
      const step = await updater.learn(sequences, rows, learningRate)
      const measures = { ...step.measures, ...shaping.measures(), ...(samplerKl !== undefined && { samplerKl }) }
      if (step.skipped === undefined) shaping.adapt(rewards.kl)
      return { ...step, measures }
    },
    state() {
      const { weights, counters } = updater.state()
      return { weights, counters: { ...counters, ...shaping.measures() } }
    },
    async restore(counters) {
      await updater.restore(counters)
      shaping.restore(counters)
    },
    examine: () => updater.examine(),
    dispose: () => updater.dispose(),
  }
}
