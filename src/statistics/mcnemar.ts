import { dbinom, pbinom, qnorm } from 'lib-r-math.js'

/**
 * Two-sided p-value of the exact McNemar test: how likely methods that are equally good differ at least as much. Twice the
 * lower tail of Binomial(n, ½) at the smaller count, n the questions that only one of them got right.
 * Source: McNemar (1947), exact form as in statsmodels.
 * @example
 * zs.exactMcNemar(15, 5) // 0.0414
 */
export function exactMcNemar(onlyFirst: number, onlySecond: number): number {
  for (const count of [onlyFirst, onlySecond]) {
    if (!Number.isInteger(count) || count < 0)
      throw new RangeError(`exactMcNemar: counts must be integers of at least 0, got ${count}`)
  }
  const n = onlyFirst + onlySecond
  // Summed from logarithms: 2^−n leaves the range of doubles at n = 1075, and pbinom is off by 2e-8 at n = 10,000.
  let logTerm = -n * Math.LN2
  let tail = 0
  for (let i = 0; i <= Math.min(onlyFirst, onlySecond); i++) {
    tail += Math.exp(logTerm)
    logTerm += Math.log((n - i) / (i + 1))
  }
  return Math.min(1, 2 * tail)
}

/** Two methods on the same questions, as shares of the questions. */
export interface PairedShares {
  /** Share of the questions that only the first method gets right. */
  onlyFirst: number
  /** Share that only the second one gets right. The difference of the two shares is that of the exact matches. */
  onlySecond: number
  /** p-value below which a difference is called real; default 0.05. */
  alpha?: number
}

/** Standard deviations of the number of discordant questions that are looked at, and at most how many such numbers. */
const WIDTH = 8
const LOOKED_AT = 400

/**
 * Power of the exact McNemar test: the probability that `n` questions show the difference. Summed over the number of
 * questions on which the methods differ, each weighted by its probability (of many thousand, every second or third).
 * @example
 * zs.pairedPower(500, { onlyFirst: 0.12, onlySecond: 0.08 }) // 0.49
 */
export function pairedPower(n: number, { onlyFirst, onlySecond, alpha = 0.05 }: PairedShares): number {
  checkShares('pairedPower', { onlyFirst, onlySecond, alpha })
  if (!Number.isInteger(n) || n < 1) throw new RangeError(`pairedPower: n must be a positive integer, got ${n}`)
  const differing = onlyFirst + onlySecond
  if (differing === 0) return 0
  const spread = WIDTH * Math.sqrt(n * differing * (1 - differing)) + 1
  const from = Math.max(0, Math.floor(n * differing - spread))
  const to = Math.min(n, Math.ceil(n * differing + spread))
  const share = onlyFirst / differing
  let power = 0
  let weights = 0
  for (let m = from; m <= to; m += Math.ceil((to - from) / LOOKED_AT) || 1) {
    const weight = dbinom(m, n, differing)
    weights += weight
    const limit = criticalCount(m, alpha)
    if (limit >= 0) power += weight * (pbinom(limit, m, share) + pbinom(limit, m, 1 - share))
  }
  return Math.min(1, power / weights)
}

/** The largest smaller count of `m` that is significant; −1 where none is. */
function criticalCount(m: number, alpha: number): number {
  let count = Math.min(Math.floor(m / 2), Math.floor((m + qnorm(alpha / 2) * Math.sqrt(m)) / 2) + 2)
  while (count >= 0 && exactMcNemar(count, m - count) > alpha) count--
  return 2 * count < m ? count : -1
}

/** No more questions than this are asked for. */
const MOST = 1 << 24

/**
 * The number of questions that shows the difference with the given probability. The power of an exact test rises in small
 * jumps and falls between them: one of the first numbers that has it.
 * @param power Default 0.8.
 * @example
 * zs.questionsNeeded({ onlyFirst: 0.12, onlySecond: 0.08 }) // about 1,000
 */
export function questionsNeeded(shares: PairedShares, power = 0.8): number {
  checkShares('questionsNeeded', { alpha: 0.05, ...shares })
  if (!(power > 0 && power < 1)) throw new RangeError(`questionsNeeded: power must lie between 0 and 1, got ${power}`)
  if (shares.onlyFirst === shares.onlySecond) {
    throw new RangeError('questionsNeeded: the shares must differ; no number of questions shows a difference of 0')
  }
  // Connor (1987) is near; the exact number is looked for around it.
  const difference = Math.abs(shares.onlyFirst - shares.onlySecond)
  const differing = shares.onlyFirst + shares.onlySecond
  const limit = -qnorm((shares.alpha ?? 0.05) / 2) * Math.sqrt(differing)
  const beyond = qnorm(power) * Math.sqrt(differing - difference ** 2)
  let high = Math.max(2, Math.ceil((limit + beyond) ** 2 / difference ** 2))
  if (high > MOST) throw new RangeError(`questionsNeeded: more than ${MOST} questions would be needed`)
  while (pairedPower(high, shares) < power) high = Math.ceil(high * 1.1)
  let low = Math.floor(high * 0.9)
  while (low > 1 && pairedPower(low, shares) >= power) low = Math.floor(low * 0.9)
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (pairedPower(middle, shares) < power) low = middle
    else high = middle
  }
  return high
}

function checkShares(operation: string, { onlyFirst, onlySecond, alpha }: Required<PairedShares>): void {
  if (!(onlyFirst >= 0 && onlySecond >= 0 && onlyFirst + onlySecond <= 1)) {
    throw new RangeError(
      `${operation}: shares must be at least 0 and at most 1 together, got ${onlyFirst}, ${onlySecond}`,
    )
  }
  if (!(alpha > 0 && alpha < 1)) throw new RangeError(`${operation}: alpha must lie between 0 and 1, got ${alpha}`)
}
