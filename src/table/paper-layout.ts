import { table, type ColumnTable } from 'arquero'
import { z } from 'zod'
import { parseOptions } from '../schema/parse-options.js'

/** Options of `paperLayout`. */
export interface PaperLayoutOptions {
  /** What stands above the sets' columns, as `zs.mini.labels`. Default: the paper's names; sets that it does not have keep theirs. */
  labels?: Readonly<Record<string, string>>
  /** A line with the 95 % interval beneath each number. Default false. */
  intervals?: boolean
  /** Digits behind the point of percentages; default 1. The paper has 2. */
  digits?: number
}

const optionsSchema = z.strictObject({
  labels: z.record(z.string(), z.string()).default({}),
  intervals: z.boolean().default(false),
  digits: z.int().min(0).max(10).default(1),
})

const PAPER_LABELS: Readonly<Record<string, string>> = {
  nq: 'NQ',
  triviaqa: 'TriviaQA',
  popqa: 'PopQA',
  hotpotqa: 'HotpotQA',
  '2wikimultihopqa': '2Wiki',
  musique: 'MuSiQue',
  bamboogle: 'Bamboogle',
}

/** What a table may hold: that of `comparisonTable`, `paperTable` or `paperComparison`. */
interface Row {
  model?: string
  method: string
  dataset: string
  domain?: string | null
  em: number
  emLow?: number
  emHigh?: number
  emOfQuestions?: number
  paper?: number | null
  paperOfQuestions?: number | null
  difference?: number | null
  low?: number | null
  high?: number | null
}

/**
 * A comparison laid out as the paper's tables are: a row for each method and a column for each set, in percent. In-domain sets come
 * first, then their average, then the others and theirs; `average` is the mean of sets, as the paper averages, and `of questions` the
 * mean of all their questions. With the paper's numbers beside (`paperComparison`) a method has several lines, which the column
 * `line` names. Cells are texts, for reading; to compute with, take the table itself.
 * @param comparison As `comparisonTable`, `paperTable` or `paperComparison` makes it.
 * @throws where columns are missing, or two sets would have one label
 * @example
 * const layout = zs.paperLayout(zs.comparisonTable(scores), { intervals: true })
 * await zs.saveTable(layout, 'table.tex', { best: 'max', within: 'line' })
 */
export function paperLayout(comparison: ColumnTable, options: PaperLayoutOptions = {}): ColumnTable {
  const { labels, intervals, digits } = parseOptions('paper layout', optionsSchema, options)
  const names = comparison.columnNames()
  const missing = ['method', 'dataset', 'em'].filter((name) => !names.includes(name))
  if (missing.length > 0) {
    throw new Error(
      `paper layout: the table must have the columns method, dataset and em, as comparisonTable makes them; ` +
        `it has ${names.join(', ') || 'none'}`,
    )
  }
  const rows = comparison.objects() as Row[]
  const columns = columnsOf(rows, labels)
  const methods = groupsOf(rows)
  const lines = linesOf(names, intervals, digits)
  const laidOut = methods.flatMap(({ model, method, rows }) =>
    lines
      .map(({ line, cell, ofQuestions }) => ({
        line,
        cells: columns.map(({ isOf, isOfQuestions }) => {
          const row = rows.find(isOf)
          return row === undefined ? '' : isOfQuestions ? (ofQuestions?.(row) ?? '') : cell(row)
        }),
      }))
      .filter(({ line, cells }) => line === lines[0]!.line || cells.some((text) => text !== ''))
      // A method's name stands once.
      .map(({ line, cells }, i) => ({ model, method: i === 0 ? method : '', line, cells })),
  )
  const isLined = intervals || names.includes('paper')
  return table({
    ...(names.includes('model') && { model: laidOut.map((row) => row.model ?? '') }),
    method: laidOut.map((row) => row.method),
    ...(isLined && { line: laidOut.map((row) => row.line) }),
    ...Object.fromEntries(columns.map(({ label }, i) => [label, laidOut.map(({ cells }) => cells[i]!)])),
  })
}

interface Column {
  label: string
  isOf: (row: Row) => boolean
  isOfQuestions?: boolean
}

function columnsOf(rows: readonly Row[], labels: Readonly<Record<string, string>>): Column[] {
  const setsOf = (isWanted: (domain: Row['domain']) => boolean): Column[] => {
    const sets = rows.filter(({ dataset, domain }) => dataset !== 'average' && isWanted(domain))
    return [...new Set(sets.map(({ dataset }) => dataset))].map((set) => ({
      label: labels[set] ?? PAPER_LABELS[set] ?? set,
      isOf: (row) => row.dataset === set,
    }))
  }
  const average = (domain: string, label = domain): Column[] => {
    const isOf = (row: Row): boolean => row.dataset === 'average' && row.domain === domain
    return rows.some(isOf) ? [{ label, isOf }] : []
  }
  const inDomain = [...setsOf((domain) => domain === 'in-domain'), ...average('in-domain')]
  const others = [...setsOf((domain) => domain !== 'in-domain'), ...average('out-of-domain')]
  const whole = average('all', 'average')
  // Where all sets are of one domain, its average is that of all.
  const widest = whole[0] ?? others.find(({ label }) => label === 'out-of-domain') ?? average('in-domain')[0]
  const hasBoth = widest !== undefined && rows.some((row) => widest.isOf(row) && row.emOfQuestions !== undefined)
  const columns = [
    ...inDomain,
    ...others,
    ...whole,
    ...(hasBoth ? [{ label: 'of questions', isOf: widest.isOf, isOfQuestions: true }] : []),
  ]
  const twice = columns.find(({ label }, i) => columns.findIndex((column) => column.label === label) < i)
  if (twice) throw new Error(`paper layout: labels must differ, got ${twice.label} twice`)
  return columns
}

interface Line {
  line: string
  cell: (row: Row) => string
  ofQuestions?: (row: Row) => string
}

function linesOf(names: readonly string[], intervals: boolean, digits: number): Line[] {
  const percent = (value: number | null | undefined): string =>
    typeof value === 'number' ? (100 * value).toFixed(digits) : ''
  const signed = (value: number | null | undefined): string => {
    const text = percent(value)
    if (text === '') return ''
    // What rounds to 0 has no sign.
    return Number(text) > 0 ? `+${text}` : text.replace(/^-/, Number(text) < 0 ? '\u2212' : '')
  }
  const both = (low: number | null | undefined, high: number | null | undefined): [number, number] | undefined =>
    typeof low === 'number' && typeof high === 'number' ? [low, high] : undefined
  const lines: Line[] = [
    { line: 'result', cell: ({ em }) => percent(em), ofQuestions: (row) => percent(row.emOfQuestions) },
    { line: '95 %', cell: (row) => both(row.emLow, row.emHigh)?.map(percent).join('\u2013') ?? '' },
    { line: 'paper', cell: ({ paper }) => percent(paper), ofQuestions: (row) => percent(row.paperOfQuestions) },
    { line: 'difference', cell: ({ difference }) => signed(difference) },
    {
      line: '95 % of it',
      cell: (row) => both(row.low, row.high)?.map(signed).join(', ') ?? '',
    },
  ]
  const needs: readonly (string | undefined)[] = ['em', 'emLow', 'paper', 'difference', 'low']
  return lines.filter(({ line }, i) => names.includes(needs[i]!) && (intervals || !line.startsWith('95')))
}

function groupsOf(rows: readonly Row[]): { model: string | undefined; method: string; rows: Row[] }[] {
  const groups = new Map<string, { model: string | undefined; method: string; rows: Row[] }>()
  for (const row of rows) {
    const key = JSON.stringify([row.model, row.method])
    const group = groups.get(key) ?? { model: row.model, method: row.method, rows: [] }
    group.rows.push(row)
    groups.set(key, group)
  }
  return [...groups.values()]
}
