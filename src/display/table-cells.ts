import { inspect } from 'node:util'
import { looksNumeric } from '../table/best-cells.js'
import { count } from './number-text.js'
import type { TableView } from './table-view.js'

/** A table as text, cut to what fits on a page. Where rows or columns are left out, `gap` takes their place. */
export interface TableCells {
  columns: string[]
  alignRight: boolean[]
  /** Row labels, where there are any. */
  index?: string[]
  rows: string[][]
  /** Of each row, the columns whose cells are bold. */
  bold?: boolean[][]
  /** "1,000 rows × 4 columns", where something was left out; of records their number: "24 questions". */
  size?: string
}

const GAP = '⋯'
/** Tables up to this size are shown whole; of larger ones, the first and the last. */
const WHOLE = { rows: 40, columns: 24 }
const ENDS = { rows: 10, columns: 8 }

/**
 * The cells of a table, formatted column by column.
 * @param wholeRows As many rows are shown at most before some are left out.
 * @param isBold Which cells are bold, by the row of the view. Default: none.
 */
export function tableCells(
  view: TableView,
  wholeRows = WHOLE.rows,
  isBold?: (row: number, column: string) => boolean,
): TableCells {
  const rows = places(view.rows, wholeRows, ENDS.rows)
  const columns = places(view.columns.length, WHOLE.columns, ENDS.columns)
  const formatted = columns.map((column) => (column < 0 ? undefined : formatColumn(rows, view, column)))
  const whole = rows.length === view.rows && columns.length === view.columns.length
  const counts = `${count(view.rows)} ${view.plural ?? 'rows'}`
  const size = view.plural === undefined ? `${counts} × ${view.columns.length} columns` : counts
  return {
    columns: columns.map((column) => (column < 0 ? GAP : view.columns[column]!)),
    alignRight: formatted.map((column) => column?.isNumeric ?? false),
    ...(view.index && { index: rows.map((row) => (row < 0 ? GAP : String(view.index![row]))) }),
    rows: rows.map((_, i) => formatted.map((column) => column?.texts[i] ?? GAP)),
    ...(isBold && {
      bold: rows.map((row) => columns.map((column) => row >= 0 && column >= 0 && isBold(row, view.columns[column]!))),
    }),
    ...((!whole || view.plural !== undefined) && { size }),
  }
}

/** The places that are shown; -1 for those left out. */
function places(count: number, whole: number, ends: number): number[] {
  const all = Array.from({ length: count }, (_, i) => i)
  return count <= whole ? all : [...all.slice(0, ends), -1, ...all.slice(-ends)]
}

/** The numbers of a column have the same decimals. */
function formatColumn(
  rows: readonly number[],
  view: TableView,
  column: number,
): { texts: string[]; isNumeric: boolean } {
  const values = rows.map((row) => (row < 0 ? undefined : view.value(row, column)))
  const numbers = values.filter((value): value is number => Number.isFinite(value))
  const isNumeric =
    values.every((value) => ['number', 'bigint', 'undefined'].includes(typeof (value ?? undefined))) ||
    looksNumeric(values)
  const show = numberFormat(numbers)
  const texts = values.map((value, i) => {
    if (rows[i]! < 0) return GAP
    return typeof value === 'number' ? (Number.isFinite(value) ? show(value) : String(value)) : cellText(value)
  })
  return { texts, isNumeric }
}

/** Decimals of numbers that are not very small. */
export const SHOWN_DIGITS = 3

function numberFormat(numbers: readonly number[]): (value: number) => string {
  if (numbers.every(Number.isInteger)) return String
  const sizes = numbers.filter((value) => value !== 0).map(Math.abs)
  const smallest = sizes.reduce((a, b) => Math.min(a, b), Infinity)
  const largest = sizes.reduce((a, b) => Math.max(a, b), -Infinity)
  // As many more as leave two digits of the smallest.
  const decimals = smallest >= 0.0005 ? SHOWN_DIGITS : Math.ceil(-Math.log10(smallest)) + 1
  if (decimals > 6 || largest >= 1e9) {
    const isPlain = (value: number): boolean => value === 0 || (Math.abs(value) >= 0.0005 && Math.abs(value) < 1e9)
    return (value) => (isPlain(value) ? value.toFixed(SHOWN_DIGITS) : value.toExponential(2))
  }
  return (value) => value.toFixed(decimals)
}

/** A value as one piece of text. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'string') return value
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.join(', ')
  return typeof value === 'bigint' ? String(value) : inspect(value, { breakLength: Infinity, compact: true })
}
