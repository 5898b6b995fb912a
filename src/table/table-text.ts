import type { ColumnTable } from 'arquero'
import { z } from 'zod'
import { parseOptions } from '../schema/parse-options.js'
import { bestCells, bestSchema, checkColumn, looksNumeric } from './best-cells.js'
import type { Best } from './best-cells.js'

/** Options of `toMarkdown` and `toLatex`. */
export interface TableTextOptions {
  /** Columns in order. Default: all. */
  columns?: readonly string[]
  /** Digits behind the point of numbers that are not whole; default 3. */
  digits?: number
  /**
   * Columns whose largest value is bold, as `{ em: 'max' }`, or `'max'` for all columns; `min` for the smallest. A text that is a
   * number counts as one. Default: none.
   */
  best?: Best
  /** The best of each value of this column, such as `dataset`. Default: of the whole table. */
  within?: string
}

const optionsSchema = z.strictObject({
  columns: z.array(z.string()).min(1).optional(),
  digits: z.int().min(0).max(15).default(3),
  best: bestSchema.default({}),
  within: z.string().optional(),
})

/** A table as texts, with what is to be bold. */
interface Texts {
  columns: string[]
  numeric: boolean[]
  rows: { text: string; bold: boolean }[][]
}

function textsOf(operation: string, table: ColumnTable, options: TableTextOptions): Texts {
  const { columns = table.columnNames(), digits, best, within } = parseOptions(operation, optionsSchema, options)
  const values = new Map(
    table.columnNames().map((name) => [name, [...(table.array(name) as ArrayLike<unknown> & unknown[])]]),
  )
  for (const name of columns) checkColumn(operation, name, values)
  const isBold = bestCells(operation, values, { best, within, digits })
  return {
    columns: [...columns],
    numeric: columns.map((name) => isNumeric(values.get(name)!)),
    rows: Array.from({ length: table.numRows() }, (_, i) =>
      columns.map((name) => ({ text: cellText(values.get(name)![i], digits), bold: isBold(i, name) })),
    ),
  }
}

const isNumeric = (values: readonly unknown[]): boolean =>
  values.some((value) => typeof value === 'number') || looksNumeric(values)

function cellText(value: unknown, digits: number): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : value.toFixed(digits)
  return plainText(value)
}

/** A cell that is no number, as text. */
export function plainText(value: unknown): string {
  if (typeof value === 'string') return value
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'bigint' ? `${value}` : (JSON.stringify(value) ?? '')
}

/**
 * A table as Markdown. What would be markup in a cell is escaped.
 * @throws where a column that is named is not there
 * @example
 * const text = zs.toMarkdown(zs.comparisonTable(scores), { best: { em: 'max' }, within: 'dataset' })
 */
export function toMarkdown(table: ColumnTable, options: TableTextOptions = {}): string {
  const { columns, numeric, rows } = textsOf('toMarkdown', table, options)
  const escape = (text: string): string =>
    text
      .replace(/[\\`*_[\]|~$#]/g, '\\$&')
      .replace(/&/g, '&amp;')
      .replace(/</g, '&lt;')
      .replace(/\r?\n|\r/g, '<br>')
  const line = (cells: string[]): string => `| ${cells.join(' | ')} |`
  return [
    line(columns.map(escape)),
    line(numeric.map((right) => (right ? '---:' : '---'))),
    ...rows.map((row) => line(row.map(({ text, bold }) => (bold ? `**${escape(text)}**` : escape(text))))),
  ].join('\n')
}

const LATEX: Readonly<Record<string, string>> = {
  '\\': '\\textbackslash{}',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
  '<': '\\textless{}',
  '>': '\\textgreater{}',
  '|': '\\textbar{}',
  '"': '\\textquotedbl{}',
  '−': '$-$',
}

/**
 * A table as a LaTeX `tabular` with the lines of the package booktabs. What LaTeX would read as a command is escaped.
 * @throws where a column that is named is not there
 * @example
 * const text = zs.toLatex(zs.comparisonTable(scores), { columns: ['method', 'dataset', 'em'], best: { em: 'max' } })
 */
export function toLatex(table: ColumnTable, options: TableTextOptions = {}): string {
  const { columns, numeric, rows } = textsOf('toLatex', table, options)
  const escape = (text: string): string =>
    text.replace(/[\\~^<>|"&%$#_{}−]/g, (sign) => LATEX[sign] ?? `\\${sign}`).replace(/\s*[\r\n]+\s*/g, ' ')
  const line = (cells: string[]): string => `${cells.join(' & ')} \\\\`
  return [
    `\\begin{tabular}{${numeric.map((right) => (right ? 'r' : 'l')).join('')}}`,
    '\\toprule',
    line(columns.map(escape)),
    '\\midrule',
    ...rows.map((row) => line(row.map(({ text, bold }) => (bold ? `\\textbf{${escape(text)}}` : escape(text))))),
    '\\bottomrule',
    '\\end{tabular}',
  ].join('\n')
}

/**
 * A table as CSV (RFC 4180), numbers in full; null is an empty cell, and lists and objects are JSON.
 * @example
 * const text = zs.toCsv(zs.scoreTable(scores))
 */
export function toCsv(table: ColumnTable): string {
  const names = table.columnNames()
  const quote = (text: string): string => (/[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  const cell = (value: unknown): string => (value === null || value === undefined ? '' : quote(plainText(value)))
  const columns = names.map((name) => table.array(name) as ArrayLike<unknown>)
  const rows = Array.from({ length: table.numRows() }, (_, i) => columns.map((column) => cell(column[i])).join(','))
  return `${[names.map(quote).join(','), ...rows].join('\n')}\n`
}
