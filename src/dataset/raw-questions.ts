import { openRecords } from '../file/read-records.js'
import type { FileFormat } from '../file/read-records.js'
import type { Dialect, RawQuestion } from './dialect.js'
import { DIALECTS } from './dialects.js'
import { plainDialect } from './dialects/plain.js'
import type { QuestionColumns } from './dialects/plain.js'
import { isRow, RowFault } from './fields.js'

/** A row of a question file: what it says, or what is wrong with it. */
export interface RawRow {
  place: string
  raw?: RawQuestion
  dialect?: string
  fault?: string
}

/** The rows of a file of any format and dialect. Nothing is thrown because of a row. */
export async function openRows(
  path: string,
  columns: QuestionColumns | undefined,
): Promise<{ format: FileFormat; rows: AsyncGenerator<RawRow> }> {
  const dialects = columns === undefined ? DIALECTS : [plainDialect(columns)]
  const { format, records } = await openRecords(path, 'question set', wantedColumns)
  return { format, rows: readRows(records, dialects, format === 'CSV' || format === 'TSV') }
}

/** Search-R1's rows hold the answers twice and a page of instruction: most of its files is not worth reading. */
function wantedColumns(names: string[]): string[] {
  const has = (...all: string[]): boolean => all.every((name) => names.includes(name))
  const unread = new Set<string>()
  if (has('question')) unread.add('prompt')
  if (has('question', 'golden_answers', 'data_source')) for (const name of ['reward_model', 'ability']) unread.add(name)
  return names.filter((name) => !unread.has(name))
}

async function* readRows(
  records: AsyncIterable<{ place: string; value?: unknown; fault?: string }>,
  dialects: readonly Dialect[],
  fromSpreadsheet: boolean,
): AsyncGenerator<RawRow> {
  for await (const { place, value, fault } of records) {
    if (fault !== undefined) {
      yield { place, fault }
      continue
    }
    try {
      if (!isRow(value))
        throw new RowFault(`a record must be an object, got ${Array.isArray(value) ? 'a list' : typeof value}`)
      const dialect = dialects.find((each) => each.matches(value)) ?? dialects.at(-1)!
      if (!dialect.matches(value)) throw unknownShape(Object.keys(value), dialect.name)
      const raw = dialect.read(value)
      if (fromSpreadsheet) refuseDates(raw)
      yield { place, raw, dialect: dialect.name }
    } catch (error) {
      if (!(error instanceof RowFault)) throw error
      yield { place, fault: error.message }
    }
  }
}

function unknownShape(columns: string[], dialect: string): RowFault {
  const there = `the columns are ${columns.join(', ') || 'none'}`
  return new RowFault(
    dialect === 'columns'
      ? `a column that is named is missing; ${there}`
      : `there is no question with answers in it; ${there}; say which hold them: { columns: { question: '…', answers: '…' } }`,
  )
}

/** What Excel makes of "May 29, 1932"; the year's century and words such as "November 6th" are lost. */
const SPREADSHEET_DATE = /^(?:\d{1,2}-[A-Z][a-z]{2}(?:-\d{2})?|[A-Z][a-z]{2}-\d{2})$/

function refuseDates({ goldAnswers }: RawQuestion): void {
  const date = goldAnswers?.find((answer) => SPREADSHEET_DATE.test(answer))
  if (date === undefined) return
  throw new RowFault(
    `answer '${date}' is a date that a spreadsheet rewrote, and what it was is lost; take another copy of the set`,
  )
}
