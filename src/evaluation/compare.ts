import type { Score } from '../schema/score.js'
import { bootstrapDifference } from '../statistics/bootstrap.js'
import { exactMcNemar } from '../statistics/mcnemar.js'

/** Two methods on the same questions, by exact match. */
export interface PairedComparison {
  /** Number of questions. */
  questions: number
  /** Questions that only the first method got right. */
  onlyFirst: number
  /** Questions that only the second method got right. */
  onlySecond: number
  /** Exact match of the first less that of the second, in [−1, 1]: the mean over questions. */
  difference: number
  /** Lower end of its 95 % interval, by a bootstrap of the questions within each set. */
  low: number
  /** Upper end of that interval. */
  high: number
  /** The same difference as the unweighted mean over sets, as the paper averages. */
  differenceOfSets: number
  /** Lower end of its interval. */
  lowOfSets: number
  /** Upper end of its interval. */
  highOfSets: number
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
  const sets = new Map<string, number[]>()
  for (const { questionId, dataset } of first) {
    const differences = sets.get(dataset) ?? []
    differences.push(Number(a.get(questionId)) - Number(b.get(questionId)))
    sets.set(dataset, differences)
  }
  const byQuestion = bootstrapDifference([...sets.values()], { meanOf: 'questions' })
  const bySet = bootstrapDifference([...sets.values()])
  return {
    questions: a.size,
    onlyFirst,
    onlySecond,
    difference: (onlyFirst - onlySecond) / a.size,
    low: byQuestion.low,
    high: byQuestion.high,
    differenceOfSets: bySet.difference,
    lowOfSets: bySet.low,
    highOfSets: bySet.high,
    pValue: exactMcNemar(onlyFirst, onlySecond),
  }
}
