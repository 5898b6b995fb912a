import type { ColumnTable } from 'arquero'
import { isRecord } from './shape.js'

/** Rows and columns of whatever holds a table, in the order in which they are shown. */
export interface TableView {
  columns: string[]
  rows: number
  /** Row labels of a data frame, as pandas shows them. */
  index?: (string | number)[]
  /** What the rows are, where they are records: `questions`. */
  plural?: string
  value(row: number, column: number): unknown
}

/** What a DataFrame and a Series of Danfo have in common. */
interface DanfoFrame {
  $isSeries: boolean
  columns: (string | number)[]
  index: (string | number)[]
  /** Rows of cells; of a Series, cells. */
  values: unknown[]
}

/** The view of an Arquero table, a Danfo DataFrame or a Danfo Series; undefined for anything else. */
export function tableView(value: unknown): TableView | undefined {
  if (isArquero(value)) {
    const columns = value.columnNames()
    const places = value.indices()
    const data = columns.map((name) => value.column(name)!)
    return { columns, rows: places.length, value: (row, column) => data[column]!.at(places[row]!) as unknown }
  }
  if (!isDanfo(value)) return undefined
  const { index, columns, values } = value
  return {
    columns: columns.map(String),
    rows: index.length,
    index,
    value: (row, column) => (value.$isSeries ? values[row] : (values[row] as unknown[])[column]),
  }
}

/** The view of an array of records: one row for each, with the columns of all of them. */
export function recordsView<T>(
  records: readonly T[],
  row: (record: T) => Record<string, unknown>,
  plural: string,
): TableView {
  const rows = records.map(row)
  const columns = new Set<string>()
  for (const record of rows)
    for (const [name, value] of Object.entries(record)) if (value !== undefined) columns.add(name)
  const names = [...columns]
  return { columns: names, rows: rows.length, plural, value: (place, column) => rows[place]![names[column]!] }
}

/**
 * The view with its rows sorted by a column; what can't be compared (null, NaN) comes last.
 * @param by a column's name, with `-` before it for descending order
 * @throws {Error} where there is no such column
 */
export function sorted(view: TableView, by: string): TableView {
  const descending = by.startsWith('-') && !view.columns.includes(by)
  const column = view.columns.indexOf(descending ? by.slice(1) : by)
  if (column < 0) throw new Error(`display: sort must name a column (${view.columns.join(', ')}), got ${by}`)
  const keys = Array.from({ length: view.rows }, (_, row) => view.value(row, column))
  const isNothing = (key: unknown): boolean => key === null || key === undefined || Number.isNaN(key)
  const order = keys
    .map((_, row) => row)
    .sort((a, b) => {
      const [x, y] = [keys[a], keys[b]] as [number, number]
      if (isNothing(x) || isNothing(y)) return Number(isNothing(x)) - Number(isNothing(y))
      const ascending = x < y ? -1 : x > y ? 1 : 0
      return descending ? -ascending : ascending
    })
  return {
    ...view,
    ...(view.index && { index: order.map((row) => view.index![row]!) }),
    value: (row, column) => view.value(order[row]!, column),
  }
}

function isArquero(value: unknown): value is ColumnTable {
  return isRecord(value) && typeof value['columnNames'] === 'function' && typeof value['indices'] === 'function'
}

/** By its shape: importing Danfo would load TensorFlow. */
function isDanfo(value: unknown): value is DanfoFrame {
  return isRecord(value) && typeof value['$isSeries'] === 'boolean' && Array.isArray(value['index'])
}
