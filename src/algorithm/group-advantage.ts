import { spreadOf } from './spread.js'
import type { Deviation, Spread } from './spread.js'

/** The advantage of a group's only trajectory: nothing, as in TRL, or its reward over 1 + epsilon, as in verl. */
export type GroupOfOne = 'zero' | 'reward'

/** Ways to centre and scale the rewards of groups (trajectories of one question). */
export interface GroupAdvantageOptions {
  /**
   * What the centred rewards are divided by: the standard deviation of their `group` (GRPO), that of the whole `batch`
   * (arXiv 2508.08221), or nothing: `none` (Dr. GRPO, arXiv 2503.20783). Default `group`.
   */
  scale?: 'group' | 'batch' | 'none'
  /** Added to the standard deviation. Default 1e-4, as in TRL; verl has 1e-6. */
  epsilon?: number
  /** Default `sample`, as in TRL and verl. */
  deviation?: Deviation
  /** Default `zero`: a single reward says nothing of what it would have been otherwise. */
  groupOfOne?: GroupOfOne
}

/** A standard deviation below this share of the values is rounding. */
const ROUNDING = 1e-9

/**
 * Advantages of a batch by the mean of each group (GRPO, arXiv 2402.03300, section 4.1.2): Aᵢ = (rᵢ − mean(r)) / (std(r) + ε).
 * All are 0 where the rewards of a group are equal.
 *
 * As `GRPOTrainer` of TRL 1.16.0 has it. verl 0.9.1 (`compute_grpo_outcome_advantage`) differs in ε and in groups of one.
 * @param groups Rewards of the trajectories, group by group.
 */
export function groupAdvantages(
  groups: readonly (readonly number[])[],
  options: GroupAdvantageOptions = {},
): number[][] {
  const { scale = 'group', epsilon = 1e-4, deviation = 'sample', groupOfOne = 'zero' } = options
  const batch = spreadOf(groups.flat(), deviation)
  return groups.map((rewards) => {
    if (rewards.length === 1) {
      if (groupOfOne === 'zero') return [0]
      const divisor = { group: 1 + epsilon, batch: batch.deviation + epsilon, none: 1 }[scale]
      return [rewards[0]! / divisor]
    }
    const group = spreadOf(rewards, deviation)
    if (isEven(group)) return rewards.map(() => 0)
    const divisor = scale === 'none' ? 1 : (scale === 'group' ? group : batch).deviation + epsilon
    return rewards.map((reward) => (reward - group.mean) / divisor)
  })
}

const isEven = ({ mean, deviation }: Spread): boolean => deviation < ROUNDING * Math.max(1, Math.abs(mean))

/** False where a group's rewards are all equal (or there is one alone), so that it teaches nothing. */
export const hasVariance = (rewards: readonly number[]): boolean => !isEven(spreadOf(rewards))

/**
 * Which groups an update of DAPO (arXiv 2503.14476, section 3.2, dynamic sampling) learns from: those whose rewards differ,
 * in their order, at most `wanted`. Where there are fewer, more questions have to be asked.
 *
 * verl 0.9.1 keeps groups of one; they have no advantage here, so they are left out too.
 * @returns places in `groups`
 */
export function informativeGroups(groups: readonly (readonly number[])[], wanted = Infinity): number[] {
  return groups.flatMap((rewards, i) => (hasVariance(rewards) ? [i] : [])).slice(0, wanted)
}
