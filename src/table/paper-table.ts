import { readFileSync } from 'node:fs'
import { table, type ColumnTable } from 'arquero'
import { z } from 'zod'
import type { Domain } from '../schema/question.js'
import { parseOptions } from '../schema/parse-options.js'
import { bootstrapMean } from '../statistics/bootstrap.js'
import { wilsonInterval } from '../statistics/wilson-interval.js'

/** Which of the paper's tables: all methods with three models (`main`), or one policy trained with eight engines (`simulator`). */
export type PaperTableName = 'main' | 'simulator'

/** One number of the paper, in [0, 1], or an average of them. */
export interface PaperRow {
  /** The LLM. */
  model: string
  /** The method, or what played the search engine in training. */
  method: string
  /** The set; `average` for the unweighted mean over the sets of `domain`, as the paper averages. */
  dataset: string
  /** Of a set: whether training used its kind. `all` for the average over all sets. */
  domain: Domain | 'all'
  /** Number of questions, read off the numbers (data/paper/README.md). */
  n: number
  /** Exact match. */
  em: number
  /** Lower end of its 95 % interval: Wilson for a set, a bootstrap stratified by set for an average. */
  emLow: number
  /** Upper end of that interval. */
  emHigh: number
  /** Of an average: exact match over its questions, whatever their sets. */
  emOfQuestions: number
}

/** A set with the share of its questions that were answered rightly. */
export interface SetShare {
  dataset: string
  domain: Domain
  n: number
  em: number
}

interface PaperFile {
  sets: string[]
  inDomain: string[]
  questions: Record<'prompted' | 'trained', number[]>
  main: FileRow[]
  simulator: FileRow[]
}

interface FileRow {
  model: string
  method: string
  kind: 'prompted' | 'trained'
  em: number[]
}

const FILE = new URL('../../data/paper/tables.json', import.meta.url)
let read: PaperFile | undefined

/** A method's numbers in one of the paper's tables. */
export interface PaperMethod {
  model: string
  method: string
  sets: SetShare[]
}

/** The rows of a table as the paper has them: a method with all its sets. */
export function paperMethods(name: PaperTableName): PaperMethod[] {
  const { sets, inDomain, questions, ...tables } = (read ??= JSON.parse(readFileSync(FILE, 'utf8')) as PaperFile)
  return tables[name].map(({ model, method, kind, em }) => ({
    model,
    method,
    sets: sets.map((dataset, i) => {
      const n = questions[kind][i]!
      // Percent are rounded to two digits; the count is whole.
      const right = Math.round((em[i]! / 100) * n)
      return { dataset, domain: inDomain.includes(dataset) ? 'in-domain' : 'out-of-domain', n, em: right / n }
    }),
  }))
}

export const paperTableName = z.enum(['main', 'simulator'])

/**
 * One of the two tables of the paper (Sun et al., ZeroSearch, arXiv 2505.04588): a row for each model, method and set, then each
 * method's averages. Columns are the fields of `PaperRow`, which `zs.comparisonTable` has too, so `zs.plot.comparison` draws both. The
 * numbers are the paper's. Numbers of questions and intervals are not: it reports none.
 * @example
 * await zs.display(zs.paperLayout(zs.paperTable('main'), { digits: 2 }), { best: 'max', within: 'model' })
 */
export function paperTable(name: PaperTableName): ColumnTable {
  parseOptions('paper table', z.object({ name: paperTableName }), { name })
  const rows = paperMethods(name).flatMap(({ model, method, sets }): PaperRow[] => [
    ...sets.map((set) => {
      const { low, high } = wilsonInterval(set.em, set.n)
      return { model, method, ...set, emLow: low, emHigh: high, emOfQuestions: set.em }
    }),
    ...(['in-domain', 'out-of-domain', 'all'] as const).map((domain) => {
      const parts = setsOf(sets, domain)
      const { mean, low, high } = bootstrapMean(parts.map(rightAndWrong))
      const n = parts.reduce((sum, set) => sum + set.n, 0)
      const right = parts.reduce((sum, { em, n }) => sum + em * n, 0)
      return {
        model,
        method,
        dataset: 'average',
        domain,
        n,
        em: mean,
        emLow: low,
        emHigh: high,
        emOfQuestions: right / n,
      }
    }),
  ])
  const column = <K extends keyof PaperRow>(key: K): PaperRow[K][] => rows.map((row) => row[key])
  return table({
    model: column('model'),
    method: column('method'),
    dataset: column('dataset'),
    domain: column('domain'),
    n: column('n'),
    em: column('em'),
    emLow: column('emLow'),
    emHigh: column('emHigh'),
    emOfQuestions: column('emOfQuestions'),
  })
}

/** The sets that an average is over. */
export const setsOf = (sets: readonly SetShare[], domain: Domain | 'all'): SetShare[] =>
  sets.filter((set) => domain === 'all' || set.domain === domain)

/** A share as one value a question, for a bootstrap: which of them are right does not matter to it. */
export function rightAndWrong({ em, n }: Pick<SetShare, 'em' | 'n'>): number[] {
  const right = Math.round(em * n)
  return Array.from({ length: n }, (_, i) => Number(i < right))
}
