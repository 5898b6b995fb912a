import type { Score } from '../schema/score.js'

/** Two methods on the same questions, by exact match. */
export interface PairedComparison {
  /** Number of questions. */
  questions: number
  /** Questions that only the first method got right. */
  onlyFirst: number
  /** Questions that only the second method got right. */
  onlySecond: number
  /** Exact match of the first less that of the second, in [−1, 1]. */
  difference: number
  /** Probability of a difference at least as large between methods that are equally good (exact McNemar, two-sided). */
  pValue: number
}

/**
 * Compares two methods question by question: it shows smaller differences than comparing their means does.
 * @throws where a question was scored twice, or by one of the methods alone
 * @example
 * const of = (name: string) => scores.filter(({ method }) => method === name)
 * const { difference, pValue } = zs.comparePaired(of('after'), of('before'))
 */
export function comparePaired(first: readonly Score[], second: readonly Score[]): PairedComparison {
  const rightOf = (scores: readonly Score[]): Map<string, boolean> => {
    const right = new Map(scores.map((score) => [score.questionId, score.em === 1]))
    if (right.size === scores.length) return right
    throw new Error(
      `compare: each question must be scored once, got ${scores.length} scores of ${right.size} questions; ` +
        'give the scores of one method',
    )
  }
  const a = rightOf(first)
  const b = rightOf(second)
  const unpaired = [...a.keys()].filter((id) => !b.has(id)).length + [...b.keys()].filter((id) => !a.has(id)).length
  if (unpaired > 0 || a.size === 0) {
    throw new Error(
      `compare: both methods must have answered the same questions, at least one; got ${a.size} and ${b.size}, ` +
        `${unpaired} of them without a partner`,
    )
  }
  let onlyFirst = 0
  let onlySecond = 0
  for (const [id, right] of a) {
    if (right && !b.get(id)) onlyFirst++
    if (!right && b.get(id)) onlySecond++
  }
  const difference = (onlyFirst - onlySecond) / a.size
  return { questions: a.size, onlyFirst, onlySecond, difference, pValue: exactMcNemar(onlyFirst, onlySecond) }
}

/**
 * Two-sided p-value of the exact McNemar test: twice the lower tail of Binomial(n, ½) at the smaller count, n the
 * discordant pairs (McNemar 1947; exact form as in R's `exact2x2`).
 */
export function exactMcNemar(onlyFirst: number, onlySecond: number): number {
  const n = onlyFirst + onlySecond
  // Summed from logarithms: 2^−n leaves the range of doubles at n = 1075.
  let logTerm = -n * Math.LN2
  let tail = 0
  for (let i = 0; i <= Math.min(onlyFirst, onlySecond); i++) {
    tail += Math.exp(logTerm)
    logTerm += Math.log((n - i) / (i + 1))
  }
  return Math.min(1, 2 * tail)
}
