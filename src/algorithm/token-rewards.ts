/**
 * A trajectory's reward as one value for each policy token: the reward on the last one, and on each the divergence from the
 * reference as a penalty (arXiv 1909.08593, eq. 2): r_t = −β·kl_t, and R more on the last.
 *
 * The last token of the policy has it even where an observation follows, so that it is never lost. Without a policy token
 * there is nothing to reward, and the row is empty.
 * @param kl An estimate for each policy token (`klEstimates`).
 */
export function tokenRewards(reward: number, kl: readonly number[], klCoef: number): number[] {
  return kl.map((value, i) => (i === kl.length - 1 ? reward : 0) - klCoef * value)
}
