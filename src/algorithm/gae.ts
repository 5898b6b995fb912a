export interface GaeOptions {
  /** Discount from one policy token to the next. Default 1. */
  gamma?: number
  /** 1 is the whole return (low bias), 0 one step (low variance). Default 1, as in the paper. */
  lambda?: number
}

/**
 * Generalized advantage estimation (arXiv 1506.02438, eq. 16) over a trajectory's policy tokens: δ_t = r_t + γV_{t+1} − V_t,
 * A_t = δ_t + γλA_{t+1}, and returns A_t + V_t for the critic. "Next" is the next policy token: value and advantage are
 * carried across the observation between two of them, and after the last token they are 0.
 *
 * As `compute_gae_advantage_return` of verl 0.9.1 before whitening (`whiten`). ZeroSearch's code takes the values of
 * observations into it.
 * @param rewards One for each policy token (`tokenRewards`).
 * @param values What the critic says before each policy token.
 */
export function generalizedAdvantages(
  rewards: readonly number[],
  values: readonly number[],
  { gamma = 1, lambda = 1 }: GaeOptions = {},
): { advantages: number[]; returns: number[] } {
  const advantages = new Array<number>(rewards.length)
  let next = 0
  let nextValue = 0
  for (let t = rewards.length - 1; t >= 0; t--) {
    const delta = rewards[t]! + gamma * nextValue - values[t]!
    advantages[t] = next = delta + gamma * lambda * next
    nextValue = values[t]!
  }
  return { advantages, returns: advantages.map((advantage, t) => advantage + values[t]!) }
}
