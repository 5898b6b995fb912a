import { pipeline, Readable } from 'node:stream'
import { parse } from 'csv-parse'
import type { CsvError } from 'csv-parse'
import type { FileRecord } from './file-record.js'
import { readLines } from './read-lines.js'

/** A quote that is never closed would swallow the rest of the file: no record is longer than this. */
const LONGEST_RECORD = 1 << 24

/** The sign between cells: a tab where the first line has one, else comma or semicolon, whichever it has more of. */
export function delimiterOf(firstLine: string): string | undefined {
  const bare = firstLine.replace(/"(?:[^"]|"")*"/g, '')
  const count = (sign: string): number => bare.split(sign).length - 1
  if (count('\t') > 0) return '\t'
  const sign = count(';') > count(',') ? ';' : ','
  return count(sign) > 0 ? sign : undefined
}

/**
 * The rows of a CSV or TSV file, as objects of texts by column name; quoted cells may hold newlines. A file whose first
 * row holds a list, as DPR's `question <tab> ['answer']`, has no header: its columns are `question` and `answers`.
 */
export async function* readDelimited(path: string, what: string, delimiter: string): AsyncGenerator<FileRecord> {
  const parser = parse({
    delimiter,
    max_record_size: LONGEST_RECORD,
    relax_column_count: true,
    relax_quotes: true,
  })
  pipeline(Readable.from(textOf(path, what)), parser, () => undefined)
  let header: string[] | undefined
  let line = 1
  try {
    for await (const record of parser as AsyncIterable<string[]>) {
      const place = `line ${line}`
      line += record.reduce((sum, cell) => sum + cell.split('\n').length - 1, 1)
      if (record.length === 1 && record[0]!.trim() === '') continue
      if (!header) {
        const headless = record.length === 2 && /^\[.*\]$/.test(record[1]!)
        header = headless ? ['question', 'answers'] : record.map((name) => name.trim())
        const twice = header.find((name, i) => header!.indexOf(name) < i)
        if (twice !== undefined) throw new Error(`read ${what} ${path}: there are two columns ${twice}; rename one`)
        if (!headless) continue
      }
      if (record.length !== header.length) {
        const fault = `has ${record.length} cells, the header has ${header.length}; is a ${nameOf(delimiter)} not quoted?`
        yield { place, fault }
        continue
      }
      yield { place, value: Object.fromEntries(header.map((name, i) => [name, record[i]])) }
    }
  } catch (error) {
    const { code } = error as Partial<CsvError>
    if (code !== 'CSV_QUOTE_NOT_CLOSED' && code !== 'CSV_MAX_RECORD_SIZE') throw error
    yield { place: `line ${line}`, fault: 'a quote is opened and never closed; double the quotes within a cell' }
  }
}

const nameOf = (delimiter: string): string => ({ '\t': 'tab', ',': 'comma' })[delimiter] ?? 'semicolon'

async function* textOf(path: string, what: string): AsyncGenerator<string> {
  for await (const { lines } of readLines(path, what)) yield `${lines.join('\n')}\n`
}
