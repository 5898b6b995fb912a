import { randomUUID } from 'node:crypto'
import { open, readFile, rename, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import type { ZodType, z } from 'zod'

/** Characters that are written at a time. */
const CHUNK = 1 << 20

/**
 * Reads records, one JSON value a line, and checks each. Empty lines are skipped.
 * Throws on the first line that does not fit, with file, line, column and remedy.
 * @param what What the file is, for errors: `question set`.
 */
export async function readJsonl<T>(path: string, schema: ZodType<T>, what = 'file'): Promise<T[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const missing = codeOf(error) === 'ENOENT'
    const rule = missing ? 'the file does not exist; check the path' : `the file cannot be read (${messageOf(error)})`
    throw new Error(`read ${what} ${path}: ${rule}`, { cause: error })
  })
  const lines = text.replace(/^\uFEFF/, '').split('\n')
  return lines.flatMap((line, i) =>
    line.trim() === '' ? [] : [parseLine(`${what} ${path}, line ${i + 1}`, line, schema)],
  )
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
 * Throws where a record holds a number that JSON cannot (NaN, infinity).
 */
export async function writeJsonl(path: string, records: Iterable<unknown>): Promise<void> {
  const aside = `${path}.${randomUUID().slice(0, 8)}.part`
  let file: FileHandle | undefined
  try {
    file = await open(aside, 'wx')
    let chunk = ''
    let line = 0
    for (const record of records) {
      chunk += `${stringify(record, ++line)}\n`
      if (chunk.length < CHUNK) continue
      await file.writeFile(chunk)
      chunk = ''
    }
    await file.writeFile(chunk)
    // On the disk before it takes the old file's name.
    await file.sync()
    await file.close()
    await rename(aside, path)
  } catch (error) {
    await file?.close().catch(() => undefined)
    await rm(aside, { force: true })
    throw new Error(`write ${path}: ${remedy(error)}; what was there before is untouched`, { cause: error })
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

function remedy(error: unknown): string {
  const code = codeOf(error)
  if (code === 'ENOENT') return 'the folder does not exist; make it first'
  if (code === 'ENOSPC') return 'the disk is full; free some space'
  return messageOf(error)
}

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
const quote = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text)
