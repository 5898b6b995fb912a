import type { GroupOfOne } from './group-advantage.js'
import { spreadOf } from './spread.js'

export interface LeaveOneOutOptions {
  /** Centres the batch's advantages and divides them by their sample standard deviation + 1e-4. Default false. */
  normalize?: boolean
  /** `zero` as in TRL, `reward` (no baseline) as in verl. Default `zero`. */
  groupOfOne?: GroupOfOne
}

/**
 * Advantages of RLOO (arXiv 2402.14740): each reward less the mean of the group's others,
 * Aᵢ = rᵢ − Σ_{j≠i} rⱼ / (n − 1).
 *
 * As `RLOOTrainer` of TRL 1.16.0 has it; verl 0.9.1 (`compute_rloo_outcome_advantage`) differs in groups of one.
 * @param groups Rewards of the trajectories, group by group; a divergence in the reward is in them already.
 */
export function leaveOneOutAdvantages(
  groups: readonly (readonly number[])[],
  { normalize = false, groupOfOne = 'zero' }: LeaveOneOutOptions = {},
): number[][] {
  const advantages = groups.map((rewards) => {
    if (rewards.length === 1) return groupOfOne === 'zero' ? [0] : [...rewards]
    const sum = rewards.reduce((a, b) => a + b, 0)
    return rewards.map((reward) => reward - (sum - reward) / (rewards.length - 1))
  })
  if (!normalize) return advantages
  const { mean, deviation } = spreadOf(advantages.flat())
  return advantages.map((group) => group.map((advantage) => (advantage - mean) / (deviation + 1e-4)))
}
