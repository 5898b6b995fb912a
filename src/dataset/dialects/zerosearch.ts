import { questionSchema } from '../../schema/record-schemas.js'
import type { Dialect } from '../dialect.js'
import { missing, RowFault } from '../fields.js'

/** This project's own questions, as `writeJsonl` writes them. */
export const zerosearchDialect: Dialect = {
  name: 'zerosearch',
  matches: (row) => 'goldAnswers' in row || ('supportingFacts' in row && 'dataset' in row),
  read(row) {
    // Parquet has null where JSON has nothing.
    const given = Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null))
    const parsed = questionSchema.safeParse(given)
    if (parsed.success) return { ...parsed.data, wholeId: true }
    const { path, message } = parsed.error.issues[0]!
    if (given[String(path[0])] === undefined) throw missing(row, String(path[0]))
    throw new RowFault(`column ${path.join('.')}: ${message}`)
  },
}
