/** Settings of `adaptKlCoef`: how the weight of the divergence follows it. */
export interface AdaptiveKlOptions {
  /** Divergence that is aimed for, nats per policy token. */
  target: number
  /** Trajectories after which an error of 1 has changed the coefficient by its whole: larger is slower. */
  horizon: number
}

/**
 * The next weight of the divergence (arXiv 1909.08593, section 2.2): β ← β·(1 + clip(kl / target − 1, ±0.2)·n / horizon).
 * As `AdaptiveKLController` of verl 0.9.1.
 * @param kl Of the last batch: mean over trajectories of their means over policy tokens.
 * @param trajectories Number of trajectories in it.
 */
export function adaptKlCoef(
  klCoef: number,
  kl: number,
  trajectories: number,
  { target, horizon }: AdaptiveKlOptions,
): number {
  const error = Math.min(Math.max(kl / target - 1, -0.2), 0.2)
  return klCoef * (1 + (error * trajectories) / horizon)
}
