import { table, type ColumnTable } from 'arquero'
import { z } from 'zod'
import type { Domain } from '../schema/question.js'
import { parseOptions } from '../schema/parse-options.js'
import { compareAverages } from '../statistics/compare-averages.js'
import { holmCorrection } from '../statistics/holm.js'
import { verdictOf } from './difference-table.js'
import type { DifferenceRow } from './difference-table.js'
import { paperMethods, paperTableName, setsOf } from './paper-table.js'
import type { PaperMethod, PaperTableName, SetShare } from './paper-table.js'

/** Options of `paperDifferences`. */
export interface PaperDifferenceOptions {
  /** One of the main table's models. Default: each by itself. */
  model?: string
  /** The method that the others are compared with. Default: every pair of methods is compared. */
  baseline?: string
  /** Only these sets, or `average`: fewer comparisons need less of a correction. Default: all sets and averages. */
  datasets?: readonly string[]
  /** p-value, corrected, below which a difference is called real; default 0.05. */
  alpha?: number
}

const optionsSchema = z.strictObject({
  name: paperTableName,
  model: z.string().exactOptional(),
  baseline: z.string().exactOptional(),
  datasets: z.array(z.string()).min(1).exactOptional(),
  alpha: z.number().gt(0).lt(1).default(0.05),
})

/** One row of `paperDifferences`. Differences are of exact match, the first method less the second. */
export interface PaperDifferenceRow {
  /** The LLM. */
  model: string
  /** The first method. */
  method: string
  /** The method that it is compared with. */
  against: string
  /** The set, or `average`. */
  dataset: string
  /** Of a set: whether training used its kind; of an average the sets that it is over. */
  domain: Domain | 'all'
  /** Questions of the first method; the second may have others in number (Bamboogle). */
  n: number
  /** Of an average: of the unweighted means over sets. */
  difference: number
  /** Lower end of its 95 % interval: Newcombe's for a set, a bootstrap stratified by set for an average. */
  low: number
  /** Upper end of that interval. */
  high: number
  /** z-test with pooled shares, two-sided. */
  pValue: number
  /** The same, corrected by Holm for all comparisons of the table. */
  pCorrected: number
  /** What may be said: `better`, `worse`, or `inside the noise`, where `pCorrected` is not below alpha. */
  verdict: DifferenceRow['verdict']
  /** The least difference that so many questions show with probability 0.8, at level 0.05 without correction. */
  detectable: number
  /** Questions that would show this difference so; null where there is none. */
  needed: number | null
}

/**
 * What the paper's numbers allow: for each two methods their difference, its interval, and whether it is more than noise, corrected for
 * the number of comparisons. Only means are published, so the methods are compared as if each had questions of its own. They probably
 * shared them, and then somewhat smaller differences would be real too. What differs between two trainings of one method (seeds)
 * is on top, and no table says it. Columns are the fields of `PaperDifferenceRow`.
 * @throws where there is no such model, baseline or set
 * @example
 * await zs.display(zs.paperDifferences('main', { model: 'Qwen-2.5-7B', baseline: 'ZeroSearch-base', datasets: ['average'] }))
 */
export function paperDifferences(name: PaperTableName, options: PaperDifferenceOptions = {}): ColumnTable {
  const { model, baseline, datasets, alpha } = parseOptions('paper differences', optionsSchema, { ...options, name })
  const methods = paperMethods(name).filter((row) => model === undefined || row.model === model)
  checkName(
    'model',
    model,
    paperMethods(name).map((row) => row.model),
  )
  checkName(
    'baseline',
    baseline,
    methods.map(({ method }) => method),
  )
  const sets = methods[0]!.sets.map(({ dataset }) => dataset)
  for (const dataset of datasets ?? []) checkName('datasets', dataset, [...sets, 'average'])

  const rows = pairsOf(methods, baseline).flatMap(([first, second]) => {
    const each = sets.map((dataset, i) => ({ dataset, domain: first.sets[i]!.domain, only: [i] }))
    const averages = (['in-domain', 'out-of-domain', 'all'] as const).map((domain) => {
      const parts = setsOf(first.sets, domain)
      return { dataset: 'average', domain, only: parts.map((set) => first.sets.indexOf(set)) }
    })
    return [...each, ...averages]
      .filter(({ dataset }) => datasets === undefined || datasets.includes(dataset))
      .map(({ dataset, domain, only }) => compared({ first, second, dataset, domain, only }))
  })
  const corrected = holmCorrection(rows.map(({ pValue }) => pValue))
  const column = <K extends keyof (typeof rows)[number]>(key: K): (typeof rows)[number][K][] =>
    rows.map((row) => row[key])
  return table({
    model: column('model'),
    method: column('method'),
    against: column('against'),
    dataset: column('dataset'),
    domain: column('domain'),
    n: column('n'),
    difference: column('difference'),
    low: column('low'),
    high: column('high'),
    pValue: column('pValue'),
    pCorrected: corrected,
    verdict: rows.map(({ difference }, i) => verdictOf(difference, corrected[i]!, alpha)),
    detectable: column('detectable'),
    needed: column('needed'),
  })
}

function checkName(option: string, given: string | undefined, known: readonly string[]): void {
  if (given === undefined || known.includes(given)) return
  throw new Error(`paper differences: ${option} must be one of ${[...new Set(known)].join(', ')}, got ${given}`)
}

/** Pairs of methods with the same model. */
function pairsOf(methods: readonly PaperMethod[], baseline: string | undefined): [PaperMethod, PaperMethod][] {
  return methods.flatMap((first, i) =>
    methods
      .filter((second, j) => {
        if (second.model !== first.model || second === first) return false
        return baseline === undefined ? j < i : second.method === baseline
      })
      .map((second): [PaperMethod, PaperMethod] => [first, second]),
  )
}

interface Compared {
  first: PaperMethod
  second: PaperMethod
  dataset: string
  domain: Domain | 'all'
  /** Places of the sets. */
  only: readonly number[]
}

function compared({ first, second, dataset, domain, only }: Compared) {
  const shares = ({ sets }: PaperMethod): SetShare[] => only.map((i) => sets[i]!)
  const counted = (method: PaperMethod) => shares(method).map(({ em, n }) => ({ share: em, n }))
  const { difference, detectable, low, high, pValue } = compareAverages(counted(first), counted(second))
  const n = shares(first).reduce((sum, set) => sum + set.n, 0)
  // The deviation falls with the root of the number of questions.
  const needed = difference === 0 ? null : Math.ceil(n * (detectable / difference) ** 2)
  const names = { model: first.model, method: first.method, against: second.method }
  return { ...names, dataset, domain, n, difference, low, high, pValue, detectable, needed }
}
