import { table, type ColumnTable } from 'arquero'
import type { Score } from '../schema/score.js'
import { meanInterval, wilsonInterval } from './wilson-interval.js'

/** Whether training draws its questions from the set's kind: the paper trains on NQ and HotpotQA alone. */
export type Domain = 'in-domain' | 'out-of-domain' | 'all'

/** One row of the comparison. Metrics are means over questions, in [0, 1]. */
export interface ComparisonRow {
  method: string
  /** The set's name; `average` for the unweighted mean over the sets of `domain`, as the paper averages. */
  dataset: string
  domain: Domain
  /** Number of questions. */
  n: number
  /** Questions whose rollout failed. They count as wrong in every metric but `emWithoutFailed`. */
  failed: number
  em: number
  /** 95 % interval of `em`: Wilson for a set, MOVER over Wilson for an average. */
  emLow: number
  emHigh: number
  /** Exact match over the questions that did not fail; null where all of them did. */
  emWithoutFailed: number | null
  coverEm: number
  f1: number
  /** Mean number of searches in a trajectory. */
  searches: number
  /** Share of questions that got an answer. */
  answered: number
}

/** Options of `comparisonTable`. */
export interface ComparisonOptions {
  /** Names of the sets that count as in-domain. Default: NQ and HotpotQA and their mini counterparts. */
  inDomain?: readonly string[]
}

const IN_DOMAIN = /^(mini-)?(nq|hotpot(-?qa)?)$/i

/**
 * One row for each method and dataset, methods and datasets in the order in which they first appear (in-domain sets
 * first), then each method's averages: in-domain, out-of-domain, and over all sets. An average is left out where it
 * would be over one set's kind only (`all` where there is no other kind) or over sets that the method was not run on.
 */
export function comparisonTable(scores: readonly Score[], options: ComparisonOptions = {}): ColumnTable {
  const isInDomain = (dataset: string): boolean => options.inDomain?.includes(dataset) ?? IN_DOMAIN.test(dataset)
  const methods = unique(scores.map((score) => score.method))
  const datasets = unique(scores.map((score) => score.dataset))
  const ordered = [...datasets.filter(isInDomain), ...datasets.filter((dataset) => !isInDomain(dataset))]
  const cells = groupBy(scores, (score) => JSON.stringify([score.method, score.dataset]))

  const rows = methods.flatMap((method): ComparisonRow[] => {
    const own = ordered.flatMap((dataset): ComparisonRow[] => {
      const cell = cells.get(JSON.stringify([method, dataset]))
      return cell ? [datasetRow(method, dataset, isInDomain(dataset) ? 'in-domain' : 'out-of-domain', cell)] : []
    })
    return [...own, ...averageRows(method, own, ordered, isInDomain)]
  })
  return comparisonRowsToTable(rows)
}

function datasetRow(method: string, dataset: string, domain: Domain, scores: readonly Score[]): ComparisonRow {
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
    emWithoutFailed: ended.length === 0 ? null : mean(ended.map((score) => score.em)),
    coverEm: mean(scores.map((score) => score.coverEm)),
    f1: mean(scores.map((score) => score.f1)),
    searches: mean(scores.map((score) => score.searches)),
    answered: mean(scores.map((score) => score.answered)),
  }
}

function averageRows(
  method: string,
  rows: readonly ComparisonRow[],
  datasets: readonly string[],
  isInDomain: (dataset: string) => boolean,
): ComparisonRow[] {
  const kinds: [Domain, (dataset: string) => boolean][] = [
    ['in-domain', isInDomain],
    ['out-of-domain', (dataset) => !isInDomain(dataset)],
    ['all', () => true],
  ]
  const hasBothKinds = datasets.some(isInDomain) && !datasets.every(isInDomain)
  return kinds.flatMap(([domain, belongs]): ComparisonRow[] => {
    if (domain === 'all' && !hasBothKinds) return []
    const wanted = datasets.filter(belongs)
    const parts = rows.filter((row) => belongs(row.dataset))
    if (parts.length === 0 || parts.length < wanted.length) return []
    const interval = meanInterval(parts.map((row) => ({ proportion: row.em, low: row.emLow, high: row.emHigh })))
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
        emWithoutFailed: meanOrNull(parts.map((row) => row.emWithoutFailed)),
        coverEm: mean(parts.map((row) => row.coverEm)),
        f1: mean(parts.map((row) => row.f1)),
        searches: mean(parts.map((row) => row.searches)),
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
    emWithoutFailed: rows.map((row) => row.emWithoutFailed),
    coverEm: rows.map((row) => row.coverEm),
    f1: rows.map((row) => row.f1),
    searches: rows.map((row) => row.searches),
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
