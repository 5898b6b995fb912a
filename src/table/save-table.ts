import { extname } from 'node:path'
import type { ColumnTable } from 'arquero'
import { writeParquet } from '../file/parquet.js'
import type { ColumnType } from '../file/parquet.js'
import { writeFileWhole } from '../file/whole-file.js'
import { toCsv, toLatex, toMarkdown } from './table-text.js'
import type { TableTextOptions } from './table-text.js'

/**
 * Writes a table; the ending of the path says how: `.md`, `.tex`, `.csv` or `.parquet`. Parquet keeps types, lists of texts
 * included. The file is written aside first, so that a failure leaves the old one.
 * @param options Of `.md` and `.tex`, as for `toMarkdown`.
 * @throws where the ending is another one, the folder does not exist, or the disk fails
 * @example
 * await zs.saveTable(zs.comparisonTable(scores), 'results.tex', { best: { em: 'max' }, within: 'dataset' })
 */
export async function saveTable(table: ColumnTable, path: string, options: TableTextOptions = {}): Promise<void> {
  switch (extname(path).toLowerCase()) {
    case '.md':
      return writeFileWhole(path, `${toMarkdown(table, options)}\n`)
    case '.tex':
      return writeFileWhole(path, `${toLatex(table, options)}\n`)
    case '.csv':
      return writeFileWhole(path, toCsv(table))
    case '.parquet': {
      const columns = table.columnNames().map((name): [string, ColumnType, ArrayLike<unknown>] => {
        const values = table.array(name) as ArrayLike<unknown>
        return [name, typeOf(values), values]
      })
      const rows = Array.from({ length: table.numRows() }, (_, i) =>
        Object.fromEntries(columns.map(([name, , values]) => [name, values[i]])),
      )
      return writeParquet(path, rows, Object.fromEntries(columns.map(([name, type]) => [name, type])))
    }
    default:
      throw new Error(`save table: the path must end with .md, .tex, .csv or .parquet, got ${path}`)
  }
}

function typeOf(column: ArrayLike<unknown>): ColumnType {
  const values = Array.from(column).filter((value) => value !== null && value !== undefined)
  const all = (test: (value: unknown) => boolean): boolean => values.length > 0 && values.every(test)
  if (all((value) => Number.isSafeInteger(value) && !Object.is(value, -0))) return 'integer'
  if (all((value) => typeof value === 'number')) return 'number'
  if (all((value) => typeof value === 'boolean')) return 'boolean'
  if (values.every((value) => typeof value === 'string')) return 'text'
  if (all((value) => Array.isArray(value) && value.every((text) => typeof text === 'string'))) return 'texts'
  return 'json'
}
