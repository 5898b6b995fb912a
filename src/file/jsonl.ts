import type { ZodType, z } from 'zod'
import { readLines } from './read-lines.js'
import { createFile } from './whole-file.js'
import type { PendingFile } from './whole-file.js'
import { errorMessage, isMissing, writeError } from './write-error.js'

/** Characters that are written at a time. */
const CHUNK = 1 << 20

/**
 * Reads records, one JSON value a line, and checks each. Empty lines are skipped.
 * @param schema A zod schema of one record; what it makes of a line is what comes.
 * @param what What the file is, for errors: `question set`. Default `file`.
 * @throws where there is no such file, and on the first line that does not fit, with file, line, column and remedy
 * @example
 * import { z } from 'zod'
 * const notes = await zs.readJsonl('notes.jsonl', z.object({ id: z.string(), text: z.string() }), 'notes')
 */
export async function readJsonl<T>(path: string, schema: ZodType<T>, what = 'file'): Promise<T[]> {
  const records: T[] = []
  for await (const block of parseBlocks(path, schema, what)) for (const record of block) records.push(record)
  return records
}

/**
 * The records of a file that need not fit into the memory, one after the other; else as `readJsonl`.
 * @param schema A zod schema of one record; what it makes of a line is what comes.
 * @param what What the file is, for errors: `question set`. Default `file`.
 * @throws as `readJsonl` does, when it comes to the line
 * @example
 * import { z } from 'zod'
 * for await (const { text } of zs.streamJsonl('notes.jsonl', z.object({ text: z.string() }))) console.log(text)
 */
export async function* streamJsonl<T>(
  path: string,
  schema: ZodType<T>,
  what = 'file',
): AsyncGenerator<T, void, undefined> {
  for await (const block of parseBlocks(path, schema, what)) yield* block
}

async function* parseBlocks<T>(path: string, schema: ZodType<T>, what: string): AsyncGenerator<T[], void, undefined> {
  for await (const { first, lines } of readLines(path, what)) {
    const records: T[] = []
    lines.forEach((line, i) => {
      if (line.trim() !== '') records.push(parseLine(`${what} ${path}, line ${first + i}`, line, schema))
    })
    yield records
  }
}

function parseLine<T>(place: string, line: string, schema: ZodType<T>): T {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    throw new Error(
      `read ${place}: every line must be one whole JSON record, got ${quote(line)}; is the file cut off?`,
      {
        cause: error,
      },
    )
  }
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw new Error(`read ${place}: ${explain(result.error.issues[0]!, value)}`)
}

/** A zod issue as a sentence about a column. */
function explain({ path, message }: z.core.$ZodIssue, record: unknown): string {
  if (path.length === 0) return `the record does not fit: ${message}`
  const column = path.map(String).join('.')
  const value = path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], record)
  if (value !== undefined) return `column ${column}: ${message}, got ${quote(JSON.stringify(value))}`
  const columns = record !== null && typeof record === 'object' ? Object.keys(record).join(', ') : 'none'
  return `column ${column} is missing; the columns are ${columns}`
}

/**
 * Writes records, one JSON value a line. The file is written aside first, so that a failure leaves the old one.
 * @throws where a record holds a number that JSON cannot (NaN, infinity), the folder does not exist, or the disk fails
 * @example
 * await zs.writeJsonl('scores.jsonl', scores)
 */
export async function writeJsonl(path: string, records: Iterable<unknown> | AsyncIterable<unknown>): Promise<void> {
  let file: PendingFile | undefined
  try {
    file = await createFile(path)
    let chunk = ''
    let line = 0
    for await (const record of records) {
      chunk += `${stringify(record, ++line)}\n`
      if (chunk.length < CHUNK) continue
      await file.handle.writeFile(chunk)
      chunk = ''
    }
    await file.handle.writeFile(chunk)
    await file.finish()
  } catch (error) {
    await file?.abort()
    const rule = isMissing(error) ? 'the folder does not exist; make it first' : errorMessage(writeError(path, error))
    throw new Error(`write ${path}: ${rule}; what was there before is untouched`, { cause: error })
  }
}

function stringify(record: unknown, line: number): string {
  const text = JSON.stringify(record, (key, value: unknown) => {
    if (typeof value !== 'number' || Number.isFinite(value)) return value
    throw new Error(`record ${line}, column ${key}: a number must be finite, got ${value}`)
  }) as string | undefined
  if (text === undefined) throw new Error(`record ${line}: a record must be a JSON value, got ${typeof record}`)
  return text
}

const quote = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text)
