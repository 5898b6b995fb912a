import { table, type ColumnTable } from 'arquero'
import { z } from 'zod'
import type { Domain } from '../schema/question.js'
import type { Score } from '../schema/score.js'
import { parseOptions } from '../schema/parse-options.js'
import { bootstrapMean } from '../statistics/bootstrap.js'
import { wilsonInterval } from '../statistics/wilson-interval.js'

/** One row of the comparison. Metrics are means over questions, in [0, 1]. */
export interface ComparisonRow {
  /** Name of the method. */
  method: string
  /** The set's name; `average` for the unweighted mean over the sets of `domain`, as the paper averages. */
  dataset: string
  /** Of a set: what its scores say, null where they say nothing. `all` for the average over all sets. */
  domain: Domain | 'all' | null
  /** Number of questions. */
  n: number
  /** Questions whose rollout failed. They count as wrong in every metric but those `WithoutFailed`. */
  failed: number
  /** Exact match. */
  em: number
  /** Lower end of the 95 % interval of `em`: Wilson for a set, a bootstrap stratified by set for an average of several. */
  emLow: number
  /** Upper end of that interval. */
  emHigh: number
  /** Exact match over the questions that did not fail; null where all of them did. */
  emWithoutFailed: number | null
  /** Of an average: exact match over its questions, whatever their sets; of a set the same as `em`. */
  emOfQuestions: number
  /** Share of answers that contain a gold answer. */
  coverEm: number
  /** The same over the questions that did not fail. */
  coverEmWithoutFailed: number | null
  /** Bag-of-words F1. */
  f1: number
  /** The same over the questions that did not fail. */
  f1WithoutFailed: number | null
  /** What the paper's code calls exact match; null where a score lacks it. */
  paperEm: number | null
  /** Mean number of searches in a trajectory. */
  searches: number
  /** Mean number of texts that models wrote for a question; null, as the next ones, where a score does not say it. */
  turns: number | null
  /** Mean number of their tokens. */
  tokens: number | null
  /** Mean number of pages that were read whole. */
  pages: number | null
  /** Mean time of a question, with others in work beside it. */
  seconds: number | null
  /** Mean cost of a question. */
  cost: number | null
  /** What the method might have taken at most for a question, in words; null where the scores do not say it. */
  budget: string | null
  /** Share of questions that got an answer. */
  answered: number
}

/** Options of `comparisonTable`. */
export interface ComparisonOptions {
  /** Names of the sets that count as in-domain. All others then are out-of-domain. Default: what the scores say. */
  inDomain?: readonly string[]
}

const optionsSchema = z.strictObject({ inDomain: z.array(z.string()).optional() })

/**
 * One row for each method and dataset, methods and datasets in the order in which they first appear (in-domain sets
 * first), then each method's averages: in-domain, out-of-domain, and over all sets. An average is left out
 * if another row already shows it (`all`, if every set is in-domain), or if the method was not run on all of its sets.
 * Columns are the fields of `ComparisonRow`.
 * @throws where the scores name two domains for one set
 * @example
 * const results = zs.comparisonTable(scores)
 * await zs.display(results, { sort: '-em' })
 */
export function comparisonTable(scores: readonly Score[], options: ComparisonOptions = {}): ColumnTable {
  const { inDomain } = parseOptions('comparison', optionsSchema, options)
  const domains = domainsOf(scores, inDomain)
  const methods = unique(scores.map((score) => score.method))
  const datasets = unique(scores.map((score) => score.dataset))
  const isInDomain = (dataset: string): boolean => domains.get(dataset) === 'in-domain'
  const ordered = [...datasets.filter(isInDomain), ...datasets.filter((dataset) => !isInDomain(dataset))]
  const cells = groupBy(scores, (score) => JSON.stringify([score.method, score.dataset]))

  const rows = methods.flatMap((method): ComparisonRow[] => {
    const perSet = ordered.flatMap((dataset): ComparisonRow[] => {
      const cell = cells.get(JSON.stringify([method, dataset]))
      return cell ? [datasetRow(method, dataset, domains.get(dataset) ?? null, cell)] : []
    })
    const emOf = (dataset: string): number[] => cells.get(JSON.stringify([method, dataset]))!.map((score) => score.em)
    return [...perSet, ...averageRows(method, perSet, ordered, domains, emOf)]
  })
  return comparisonRowsToTable(rows)
}

/** The domain of each set that has one. */
function domainsOf(scores: readonly Score[], inDomain: readonly string[] | undefined): Map<string, Domain> {
  const domains = new Map<string, Domain>()
  for (const { dataset, domain: said } of scores) {
    const domain = inDomain ? (inDomain.includes(dataset) ? 'in-domain' : 'out-of-domain') : said
    const known = domains.get(dataset)
    if (known && domain && known !== domain) {
      throw new Error(
        `comparison: a set must have one domain, got ${known} and ${domain} for ${dataset}; say which sets are inDomain`,
      )
    }
    if (domain) domains.set(dataset, domain)
  }
  return domains
}

function datasetRow(method: string, dataset: string, domain: Domain | null, scores: readonly Score[]): ComparisonRow {
  const em = mean(scores.map((score) => score.em))
  const ended = scores.filter((score) => score.failure === undefined)
  const interval = wilsonInterval(em, scores.length)
  return {
    method,
    dataset,
    domain,
    n: scores.length,
    failed: scores.length - ended.length,
    em,
    emLow: interval.low,
    emHigh: interval.high,
    emOfQuestions: em,
    emWithoutFailed: ended.length === 0 ? null : mean(ended.map((score) => score.em)),
    coverEm: mean(scores.map((score) => score.coverEm)),
    coverEmWithoutFailed: ended.length === 0 ? null : mean(ended.map((score) => score.coverEm)),
    f1: mean(scores.map((score) => score.f1)),
    f1WithoutFailed: ended.length === 0 ? null : mean(ended.map((score) => score.f1)),
    paperEm: meanOrNull(scores.map((score) => score.paperEm ?? null)),
    searches: mean(scores.map((score) => score.searches)),
    turns: meanOrNull(scores.map((score) => score.turns ?? null)),
    tokens: meanOrNull(scores.map((score) => score.tokens ?? null)),
    pages: meanOrNull(scores.map((score) => score.pages ?? null)),
    seconds: meanOrNull(scores.map((score) => score.seconds ?? null)),
    cost: meanOrNull(scores.map((score) => score.cost ?? null)),
    budget: budgetText(scores),
    answered: mean(scores.map((score) => score.answered)),
  }
}

/** "5 searches, 6 turns, 3,000 tokens"; limits of nothing are left out. */
function budgetText(scores: readonly Score[]): string | null {
  const texts = new Set(
    scores.map(({ budget }) => {
      const limits = Object.entries(budget ?? {}).filter(([, limit]) => limit > 0)
      return limits.map(([what, limit]) => `${limit.toLocaleString('en')} ${what}`).join(', ')
    }),
  )
  const [only = ''] = texts
  return texts.size === 1 && only !== '' ? only : null
}

function averageRows(
  method: string,
  rows: readonly ComparisonRow[],
  datasets: readonly string[],
  domains: ReadonlyMap<string, Domain>,
  cellOf: (dataset: string) => readonly number[],
): ComparisonRow[] {
  const first = datasets[0] === undefined ? undefined : domains.get(datasets[0])
  const oneDomain = first !== undefined && datasets.every((dataset) => domains.get(dataset) === first)
  return (['in-domain', 'out-of-domain', 'all'] as const).flatMap((domain): ComparisonRow[] => {
    if (domain === 'all' && oneDomain) return []
    const belongs = (dataset: string): boolean => domain === 'all' || domains.get(dataset) === domain
    const wanted = datasets.filter(belongs)
    const parts = rows.filter((row) => belongs(row.dataset))
    if (parts.length === 0 || parts.length < wanted.length) return []
    const [only, second] = parts
    const interval =
      only !== undefined && second === undefined
        ? { low: only.emLow, high: only.emHigh }
        : bootstrapMean(parts.map((row) => cellOf(row.dataset)))
    return [
      {
        method,
        dataset: 'average',
        domain,
        n: parts.reduce((sum, row) => sum + row.n, 0),
        failed: parts.reduce((sum, row) => sum + row.failed, 0),
        em: mean(parts.map((row) => row.em)),
        emLow: interval.low,
        emHigh: interval.high,
        emOfQuestions: mean(parts.flatMap((row) => cellOf(row.dataset))),
        emWithoutFailed: meanOrNull(parts.map((row) => row.emWithoutFailed)),
        coverEm: mean(parts.map((row) => row.coverEm)),
        coverEmWithoutFailed: meanOrNull(parts.map((row) => row.coverEmWithoutFailed)),
        f1: mean(parts.map((row) => row.f1)),
        f1WithoutFailed: meanOrNull(parts.map((row) => row.f1WithoutFailed)),
        paperEm: meanOrNull(parts.map((row) => row.paperEm)),
        searches: mean(parts.map((row) => row.searches)),
        turns: meanOrNull(parts.map((row) => row.turns)),
        tokens: meanOrNull(parts.map((row) => row.tokens)),
        pages: meanOrNull(parts.map((row) => row.pages)),
        seconds: meanOrNull(parts.map((row) => row.seconds)),
        cost: meanOrNull(parts.map((row) => row.cost)),
        budget: parts.every((row) => row.budget === parts[0]!.budget) ? parts[0]!.budget : null,
        answered: mean(parts.map((row) => row.answered)),
      },
    ]
  })
}

function comparisonRowsToTable(rows: readonly ComparisonRow[]): ColumnTable {
  // Spelled out, because a table of no rows must have its columns too.
  return table({
    method: rows.map((row) => row.method),
    dataset: rows.map((row) => row.dataset),
    domain: rows.map((row) => row.domain),
    n: rows.map((row) => row.n),
    failed: rows.map((row) => row.failed),
    em: rows.map((row) => row.em),
    emLow: rows.map((row) => row.emLow),
    emHigh: rows.map((row) => row.emHigh),
    emOfQuestions: rows.map((row) => row.emOfQuestions),
    emWithoutFailed: rows.map((row) => row.emWithoutFailed),
    coverEm: rows.map((row) => row.coverEm),
    coverEmWithoutFailed: rows.map((row) => row.coverEmWithoutFailed),
    f1: rows.map((row) => row.f1),
    f1WithoutFailed: rows.map((row) => row.f1WithoutFailed),
    paperEm: rows.map((row) => row.paperEm),
    searches: rows.map((row) => row.searches),
    turns: rows.map((row) => row.turns),
    tokens: rows.map((row) => row.tokens),
    pages: rows.map((row) => row.pages),
    seconds: rows.map((row) => row.seconds),
    cost: rows.map((row) => row.cost),
    budget: rows.map((row) => row.budget),
    answered: rows.map((row) => row.answered),
  })
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function meanOrNull(values: readonly (number | null)[]): number | null {
  const known = values.filter((value): value is number => value !== null)
  return known.length < values.length ? null : mean(known)
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)]
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const name = key(item)
    const group = groups.get(name)
    if (group) group.push(item)
    else groups.set(name, [item])
  }
  return groups
}
