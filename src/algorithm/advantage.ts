/** Ways to centre and scale the rewards of a group (trajectories of one question). */
export interface GroupAdvantageOptions {
  /** Divide by the group's standard deviation (GRPO, arXiv 2402.03300); false is Dr. GRPO. Default true. */
  scale?: boolean
  /** Added to the standard deviation; default 1e-4, as in TRL. */
  epsilon?: number
}

/** A standard deviation below this is rounding. */
const NO_DEVIATION = 1e-9

/**
 * Advantages of a group's trajectories: reward minus the group's mean, over its sample standard deviation. All are 0 where
 * the rewards are equal, and where there is one trajectory alone, as in TRL.
 * @param rewards Of the trajectories of one group.
 */
export function groupAdvantages(rewards: readonly number[], options: GroupAdvantageOptions = {}): number[] {
  const { scale = true, epsilon = 1e-4 } = options
  const { mean, deviation } = spread(rewards)
  if (deviation < NO_DEVIATION) return rewards.map(() => 0)
  return rewards.map((reward) => (reward - mean) / (scale ? deviation + epsilon : 1))
}

/** False where a group's rewards are all equal (or there is one alone), so that it teaches nothing. */
export const hasVariance = (rewards: readonly number[]): boolean => spread(rewards).deviation >= NO_DEVIATION

/** Mean, and the sample standard deviation as torch.std gives it. */
function spread(rewards: readonly number[]): { mean: number; deviation: number } {
  const mean = rewards.reduce((a, b) => a + b, 0) / rewards.length
  const squares = rewards.reduce((sum, reward) => sum + (reward - mean) ** 2, 0)
  return { mean, deviation: rewards.length > 1 ? Math.sqrt(squares / (rewards.length - 1)) : 0 }
}
