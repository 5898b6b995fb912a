import { table, type ColumnTable } from 'arquero'
import { z } from 'zod'
import { comparePaired } from '../evaluation/compare.js'
import { parseOptions } from '../schema/parse-options.js'
import type { Score } from '../schema/score.js'
import { holmCorrection } from '../statistics/holm.js'

/** Options of `differenceTable`. */
export interface DifferenceOptions {
  /** The method that the others are compared with. Default: every pair of methods is compared. */
  baseline?: string
  /** p-value, corrected, below which a difference is called real; default 0.05. */
  alpha?: number
}

const optionsSchema = z.strictObject({
  baseline: z.string().min(1).optional(),
  alpha: z.number().gt(0).lt(1).default(0.05),
})

/** One row of `differenceTable`. Differences are of exact match, the first method less the second. */
export interface DifferenceRow {
  /** The first method. */
  method: string
  /** The method that it is compared with. */
  against: string
  /** The set; `all` for all questions together. */
  dataset: string
  /** Number of questions. */
  n: number
  /** The mean over questions. */
  difference: number
  /** Lower end of its 95 % interval (bootstrap of the questions within each set). */
  low: number
  /** Upper end of that interval. */
  high: number
  /** The unweighted mean over sets, as the paper averages; of a set the same as `difference`. */
  differenceOfSets: number
  /** Exact McNemar, two-sided. */
  pValue: number
  /** The same, corrected by Holm for all comparisons of the table. */
  pCorrected: number
  /** What may be said: `better`, `worse`, or `inside the noise`, where `pCorrected` is not below alpha. */
  verdict: 'better' | 'worse' | 'inside the noise'
}

/**
 * Compares methods question by question, for each set and over all questions, corrected for the number of comparisons: it says
 * which differences are more than noise. Columns are the fields of `DifferenceRow`.
 * @throws where there are fewer than two methods, no such baseline, or methods did not answer the same questions
 * @example
 * await zs.display(zs.differenceTable(scores, { baseline: 'direct' }))
 */
export function differenceTable(scores: readonly Score[], options: DifferenceOptions = {}): ColumnTable {
  const { baseline, alpha } = parseOptions('difference table', optionsSchema, options)
  const methods = [...new Set(scores.map(({ method }) => method))]
  if (methods.length < 2) {
    throw new Error(`difference table: there must be scores of at least two methods, got ${methods.length}`)
  }
  if (baseline !== undefined && !methods.includes(baseline)) {
    throw new Error(`difference table: baseline must be one of ${methods.join(', ')}, got ${baseline}`)
  }
  const datasets = [...new Set(scores.map(({ dataset }) => dataset))]
  const pairs = methods.flatMap((method, i) =>
    baseline === undefined
      ? methods.slice(0, i).map((against) => ({ method, against }))
      : method === baseline
        ? []
        : [{ method, against: baseline }],
  )
  const of = (method: string, dataset: string): Score[] =>
    scores.filter((score) => score.method === method && (dataset === 'all' || score.dataset === dataset))
  const found = pairs.flatMap(({ method, against }) =>
    (datasets.length > 1 ? [...datasets, 'all'] : datasets).flatMap((dataset) => {
      const [first, second] = [of(method, dataset), of(against, dataset)]
      return first.length === 0 && second.length === 0
        ? []
        : [{ method, against, dataset, ...comparePaired(first, second) }]
    }),
  )
  const corrected = holmCorrection(found.map(({ pValue }) => pValue))
  return table({
    method: found.map((row) => row.method),
    against: found.map((row) => row.against),
    dataset: found.map((row) => row.dataset),
    n: found.map((row) => row.questions),
    difference: found.map((row) => row.difference),
    low: found.map((row) => row.low),
    high: found.map((row) => row.high),
    differenceOfSets: found.map((row) => row.differenceOfSets),
    pValue: found.map((row) => row.pValue),
    pCorrected: corrected,
    verdict: found.map(({ difference }, i) => verdictOf(difference, corrected[i]!, alpha)),
  })
}

/** What may be said of a difference. */
export const verdictOf = (difference: number, pCorrected: number, alpha: number): DifferenceRow['verdict'] =>
  pCorrected >= alpha ? 'inside the noise' : difference > 0 ? 'better' : 'worse'
