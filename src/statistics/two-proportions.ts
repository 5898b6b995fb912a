import { pnorm, qnorm } from 'lib-r-math.js'
import { wilsonInterval } from './wilson-interval.js'
import type { Interval } from './wilson-interval.js'

/** Two methods, each on questions of its own or known by their means alone, such as a published table's. */
export interface ProportionComparison extends Interval {
  /** The first share less the second. */
  difference: number
  /** Probability of a difference at least as large between equal shares (two-sided z-test with the pooled share). */
  pValue: number
}

/**
 * Compares two shares without knowing which questions were answered rightly: for published tables. Where the scores of each
 * question are at hand, `comparePaired` shows smaller differences.
 * The interval is Newcombe's (1998, doi 10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I), 95 %.
 * @example
 * const { low, high } = zs.compareProportions(0.414, 500, 0.398, 500)
 */
export function compareProportions(first: number, n: number, second: number, m: number): ProportionComparison {
  const a = wilsonInterval(first, n)
  const b = wilsonInterval(second, m)
  const difference = first - second
  const pooled = (first * n + second * m) / (n + m)
  const deviation = Math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
  return {
    difference,
    low: difference - Math.hypot(first - a.low, b.high - second),
    high: difference + Math.hypot(a.high - first, second - b.low),
    pValue: deviation === 0 ? 1 : 2 * pnorm(-Math.abs(difference) / deviation),
  }
}

/**
 * Power of that z-test: the probability that `n` questions for each of two methods show the difference of their shares.
 * Normal approximation with each share's own variance.
 * @param alpha Default 0.05.
 * @example
 * zs.proportionPower(500, 0.40, 0.42) // 0.10
 */
export function proportionPower(n: number, first: number, second: number, alpha = 0.05): number {
  if (!(n >= 1)) throw new RangeError(`proportionPower: n must be at least 1, got ${n}`)
  const pooled = (first + second) / 2
  const under = Math.sqrt((2 * pooled * (1 - pooled)) / n)
  const actual = Math.sqrt((first * (1 - first) + second * (1 - second)) / n)
  if (actual === 0) return first === second ? alpha : 1
  const limit = qnorm(1 - alpha / 2) * under
  const difference = Math.abs(first - second)
  return pnorm((difference - limit) / actual) + pnorm((-difference - limit) / actual)
}
