/** Two-sided bounds of a proportion, in [0, 1]. */
export interface Interval {
  /** Lower end. */
  low: number
  /** Upper end. */
  high: number
}

/** The standard normal's 97.5 % quantile: two-sided 95 %. */
const Z_95 = 1.959963984540054

/**
 * The Wilson score interval of a proportion. Unlike the normal approximation it stays within [0, 1] and keeps its
 * width at 0 and 1, which small QA sets often hit.
 * Source: Wilson (1927), doi 10.1080/01621459.1927.10502953, without continuity correction.
 *
 * @param proportion The observed share, in [0, 1].
 * @param n Number of observations, at least 1.
 * @param z Quantile of the standard normal; the default gives 95 %.
 * @throws where the proportion lies outside of [0, 1] or n is below 1
 * @example
 * const { low, high } = zs.wilsonInterval(0.4, 500)
 */
export function wilsonInterval(proportion: number, n: number, z: number = Z_95): Interval {
  if (!(proportion >= 0 && proportion <= 1)) {
    throw new RangeError(
      `wilsonInterval: proportion must lie in [0, 1], got ${proportion}; divide the successes by their number`,
    )
  }
  if (!(n >= 1)) throw new RangeError(`wilsonInterval: n must be at least 1, got ${n}; leave empty groups out`)
  const shrink = 1 + (z * z) / n
  const centre = (proportion + (z * z) / (2 * n)) / shrink
  const half = (z / shrink) * Math.sqrt((proportion * (1 - proportion)) / n + (z * z) / (4 * n * n))
  // Rounding can leave the bound a hair off the proportion at the ends: 0 of n has the lower bound 0 exactly.
  return {
    low: Math.max(0, Math.min(proportion, centre - half)),
    high: Math.min(1, Math.max(proportion, centre + half)),
  }
}
