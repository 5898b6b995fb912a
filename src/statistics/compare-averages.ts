import { pnorm, qnorm } from 'lib-r-math.js'
import { bootstrapDifference } from './bootstrap.js'
import { compareProportions } from './two-proportions.js'
import type { ProportionComparison } from './two-proportions.js'

/** The share of a set's questions that were answered rightly. */
export interface CountedShare {
  /** In [0, 1]. */
  share: number
  /** Number of questions. */
  n: number
}

/** Two averages of shares, and what their numbers of questions allow. */
export interface AverageComparison extends ProportionComparison {
  /** The least difference that so many questions show with probability 0.8 at level 0.05; normal approximation. */
  detectable: number
}

/**
 * Compares two methods by their unweighted means over the same sets, where only each set's share and number of questions are
 * known: for published tables. Where the scores of each question are at hand, `comparePaired` shows smaller differences.
 *
 * The 95 % interval is Newcombe's for one set, as in `compareProportions`; for several a bootstrap, stratified by set, of each method
 * by itself. The p-value is that of the z-test with the pooled share of each set.
 * @param second As many sets as in `first`, in the same order.
 * @throws where the sets differ in number, or a share or n is impossible
 * @example
 * const { difference, low, high } = zs.compareAverages(
 *   [{ share: 0.434, n: 500 }, { share: 0.312, n: 500 }],
 *   [{ share: 0.424, n: 500 }, { share: 0.32, n: 500 }],
 * )
 */
export function compareAverages(first: readonly CountedShare[], second: readonly CountedShare[]): AverageComparison {
  if (first.length === 0 || first.length !== second.length) {
    throw new RangeError(
      `compareAverages: both must have the same sets, at least one, got ${first.length} and ${second.length}`,
    )
  }
  const perSet = first.map(({ share, n }, i) => compareProportions(share, n, second[i]!.share, second[i]!.n))
  const difference = meanOf(perSet.map((set) => set.difference))
  const variances = first.map(({ share, n }, i) => {
    const { share: other, n: m } = second[i]!
    const pooled = (share * n + other * m) / (n + m)
    return pooled * (1 - pooled) * (1 / n + 1 / m)
  })
  const deviation = Math.sqrt(meanOf(variances) / first.length)
  const { low, high } = perSet.length === 1 ? perSet[0]! : bootstrapBoth(first, second)
  return {
    difference,
    low,
    high,
    pValue: deviation === 0 ? 1 : 2 * pnorm(-Math.abs(difference) / deviation),
    detectable: (qnorm(0.975) + qnorm(0.8)) * deviation,
  }
}

/** Each method's questions are drawn by themselves. As one mean over both methods' sets, it is half of the difference. */
function bootstrapBoth(first: readonly CountedShare[], second: readonly CountedShare[]): { low: number; high: number } {
  const sets = [...first.map((set) => values(set, 2)), ...second.map((set) => values(set, -2))]
  return bootstrapDifference(sets)
}

/** A value for each question. Which of them are right does not matter to a bootstrap. */
function values({ share, n }: CountedShare, right: number): number[] {
  const count = Math.round(share * n)
  return Array.from({ length: n }, (_, i) => (i < count ? right : 0))
}

const meanOf = (numbers: readonly number[]): number => numbers.reduce((sum, value) => sum + value, 0) / numbers.length
