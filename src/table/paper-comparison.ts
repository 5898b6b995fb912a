import { table, type ColumnTable } from 'arquero'
import { z } from 'zod'
import { datasetName } from '../dataset/known-sets.js'
import { parseOptions } from '../schema/parse-options.js'
import type { Score } from '../schema/score.js'
import { compareAverages } from '../statistics/compare-averages.js'
import type { AverageComparison } from '../statistics/compare-averages.js'
import { holmCorrection } from '../statistics/holm.js'
import { comparisonTable } from './comparison-table.js'
import type { ComparisonRow } from './comparison-table.js'
import { verdictOf } from './difference-table.js'
import type { DifferenceRow } from './difference-table.js'
import { paperMethods, paperTableName } from './paper-table.js'
import type { PaperMethod, PaperTableName, SetShare } from './paper-table.js'

/** Options of `paperComparison`. */
export interface PaperComparisonOptions {
  /** Which of the paper's tables; default `main`. */
  table?: PaperTableName
  /** Of the main table: the LLM, such as `Qwen-2.5-3B`. Default: the only one that has the paper's methods that are named. */
  model?: string
  /**
   * The paper's name of a method, by that of the scores: `{ mine: 'ZeroSearch-base' }`. Default: for the methods without training
   * (`direct`, `cot`, `rag`, `ra-agent`, `search-o1`) their own; others have no number beside.
   */
  methods?: Readonly<Record<string, string>>
  /** The paper's name of a set, by that of the scores. Default: as `readQuestions` names sets. */
  datasets?: Readonly<Record<string, string>>
  /**
   * What is compared with the paper's exact match; default `em`. `paperEm` is what its code calls exact match, which takes longer
   * answers that contain the gold answer, and the trained methods' numbers probably were made with it.
   */
  measure?: 'em' | 'coverEm' | 'paperEm'
  /** p-value, corrected, below which a difference is called real; default 0.05. */
  alpha?: number
}

const optionsSchema = z.strictObject({
  table: paperTableName.default('main'),
  model: z.string().exactOptional(),
  methods: z.record(z.string(), z.string()).default({}),
  datasets: z.record(z.string(), z.string()).default({}),
  measure: z.enum(['em', 'coverEm', 'paperEm']).default('em'),
  alpha: z.number().gt(0).lt(1).default(0.05),
})

/** One row of `paperComparison`: of scores, and the paper's number beside where it has one. Shares are in [0, 1]. */
export interface PaperComparisonRow extends Pick<
  ComparisonRow,
  'method' | 'dataset' | 'domain' | 'n' | 'em' | 'emLow' | 'emHigh' | 'emOfQuestions'
> {
  /** The paper's method. */
  paperMethod: string | null
  /** Its number of questions. */
  paperN: number | null
  /** Its exact match; of an average over the same sets as the scores have. */
  paper: number | null
  /** Of an average: over its questions. */
  paperOfQuestions: number | null
  /** `em` less the paper's. */
  difference: number | null
  /** Lower end of its 95 % interval: Newcombe's for a set, a bootstrap stratified by set for an average. */
  low: number | null
  /** Upper end of that interval. */
  high: number | null
  /** z-test with pooled shares, two-sided. */
  pValue: number | null
  /** The same, corrected by Holm for all comparisons of the table. */
  pCorrected: number | null
  /** What may be said: `better` or `worse` than the paper's, or `inside the noise`. */
  verdict: DifferenceRow['verdict'] | null
}

/** The paper's names of methods that need no training. */
const UNTRAINED: Readonly<Record<string, string>> = {
  direct: 'Direct Answer',
  cot: 'CoT',
  rag: 'RAG',
  'ra-agent': 'RA-Agent',
  'search-o1': 'Search-o1',
}

/**
 * Scores beside the paper's own numbers, with difference and interval: `comparisonTable`'s rows, each with the number that the paper
 * has there. Which questions the paper asked is unknown, so the two are compared as samples of their own. The columns are
 * the fields of `PaperComparisonRow`; `paperLayout` lays them out as the paper does.
 * @throws where the paper has no such model, method or set, or a method's model is not clear
 * @example
 * const beside = zs.paperComparison(scores, { model: 'Qwen-2.5-3B', methods: { mine: 'ZeroSearch-base' } })
 * await zs.display(zs.paperLayout(beside, { intervals: true }))
 */
export function paperComparison(scores: readonly Score[], options: PaperComparisonOptions = {}): ColumnTable {
  const checked = parseOptions('paper comparison', optionsSchema, options)
  const { measure, alpha, datasets } = checked
  const partners = partnersOf(scores, checked)
  const setName = (dataset: string): string => datasetName(datasets[dataset] ?? dataset)
  checkSets(Object.keys(datasets), setName, [...partners.values()][0])
  const rows = comparisonTable(measured(scores, measure)).objects() as ComparisonRow[]
  const ofSets = rows.filter(({ dataset }) => dataset !== 'average')

  const found = rows.map((row) => {
    const mine =
      row.dataset === 'average'
        ? ofSets.filter(
            ({ method, domain }) => method === row.method && (row.domain === 'all' || domain === row.domain),
          )
        : [row]
    const partner = partners.get(row.method)
    const theirs = mine.flatMap(({ dataset }) => partner?.sets.find((set) => set.dataset === setName(dataset)) ?? [])
    // An average stands beside one over the same sets, or beside none.
    return partner && theirs.length === mine.length ? { method: partner.method, ...beside(mine, theirs) } : undefined
  })
  const corrected = holmCorrection(found.flatMap((each) => each?.compared.pValue ?? []))
  let next = 0
  const pCorrected = found.map((each) => (each ? corrected[next++]! : null))
  const mine = <K extends keyof ComparisonRow>(key: K): ComparisonRow[K][] => rows.map((row) => row[key])
  const difference = <K extends keyof AverageComparison>(key: K): (number | null)[] =>
    found.map((each) => each?.compared[key] ?? null)
  return table({
    method: mine('method'),
    dataset: mine('dataset'),
    domain: mine('domain'),
    n: mine('n'),
    em: mine('em'),
    emLow: mine('emLow'),
    emHigh: mine('emHigh'),
    emOfQuestions: mine('emOfQuestions'),
    paperMethod: found.map((each) => each?.method ?? null),
    paperN: found.map((each) => each?.paperN ?? null),
    paper: found.map((each) => each?.paper ?? null),
    paperOfQuestions: found.map((each) => each?.paperOfQuestions ?? null),
    difference: difference('difference'),
    low: difference('low'),
    high: difference('high'),
    pValue: difference('pValue'),
    pCorrected,
    verdict: found.map((each, i) => (each ? verdictOf(each.compared.difference, pCorrected[i]!, alpha) : null)),
  })
}

/** Scores whose `em` is the measure that is wanted. */
function measured(scores: readonly Score[], measure: 'em' | 'coverEm' | 'paperEm'): readonly Score[] {
  if (measure === 'em') return scores
  return scores.map((score) => {
    const value = score[measure]
    if (value === undefined)
      throw new Error(`paper comparison: every score must have ${measure}, got one of ${score.method} without it`)
    return { ...score, em: value }
  })
}

/** The paper's rows that stand beside the methods of the scores. */
function partnersOf(
  scores: readonly Score[],
  { table, model, methods }: z.infer<typeof optionsSchema>,
): Map<string, PaperMethod> {
  const all = paperMethods(table)
  const models = [...new Set(all.map((row) => row.model))]
  if (model !== undefined && !models.includes(model)) refuse('model', models, model)
  const known = new Set(all.map(({ method }) => method))
  const partners = new Map<string, PaperMethod>()
  for (const method of new Set(scores.map((score) => score.method))) {
    const name = methods[method] ?? (table === 'main' ? UNTRAINED[method] : undefined)
    if (name === undefined) continue
    if (!known.has(name)) refuse(`methods.${method}`, [...known], name)
    if (model === undefined && models.length > 1) refuse('model', models, undefined)
    partners.set(
      method,
      all.find((row) => row.method === name && (model === undefined || row.model === model))!,
    )
  }
  const unused = Object.keys(methods).find((method) => !partners.has(method))
  if (unused !== undefined) refuse('methods', [...new Set(scores.map(({ method }) => method))], unused)
  return partners
}

function checkSets(
  given: readonly string[],
  setName: (name: string) => string,
  partner: PaperMethod | undefined,
): void {
  const known = partner?.sets.map(({ dataset }) => dataset)
  const wrong = known && given.find((name) => !known.includes(setName(name)))
  if (wrong !== undefined) refuse(`datasets.${wrong}`, known!, setName(wrong))
}

function refuse(option: string, known: readonly string[], given: string | undefined): never {
  throw new Error(`paper comparison: ${option} must be one of ${known.join(', ')}, got ${given}`)
}

/** The paper's number over the same sets, and the difference to it. */
function beside(mine: readonly ComparisonRow[], theirs: readonly SetShare[]) {
  const paperN = theirs.reduce((sum, { n }) => sum + n, 0)
  return {
    paperN,
    paper: theirs.reduce((sum, { em }) => sum + em, 0) / theirs.length,
    paperOfQuestions: theirs.reduce((sum, { em, n }) => sum + em * n, 0) / paperN,
    compared: compareAverages(mine.map(counted), theirs.map(counted)),
  }
}

const counted = ({ em, n }: { em: number; n: number }): { share: number; n: number } => ({ share: em, n })
