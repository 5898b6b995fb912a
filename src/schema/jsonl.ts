import { randomUUID } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import type { ZodType } from 'zod'

/**
 * Reads records, one JSON value a line, and checks each.
 * Throws on the first line that does not fit, with file, line, field and rule.
 */
export async function readJsonl<T>(path: string, schema: ZodType<T>): Promise<T[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new Error(`read ${path}: the file is not there or cannot be read`, { cause: error })
  })
  return text.split('\n').flatMap((line, i) => (line.trim() === '' ? [] : [parseLine(path, i + 1, line, schema)]))
}

function parseLine<T>(path: string, number: number, line: string, schema: ZodType<T>): T {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    throw new Error(`read ${path}, line ${number}: this is no JSON; every line must be one JSON record`, {
      cause: error,
    })
  }
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const { path: field, message } = result.error.issues[0]!
  throw new Error(`read ${path}, line ${number}: column ${field.join('.') || '(record)'}: ${message}`)
}

/** Writes records, one JSON value a line. The file is written aside first, so that a failure leaves the old one. */
export async function writeJsonl(path: string, records: Iterable<unknown>): Promise<void> {
  const aside = `${path}.${randomUUID().slice(0, 8)}.part`
  try {
    await writeFile(aside, [...records].map((record) => `${JSON.stringify(record)}\n`).join(''))
    await rename(aside, path)
  } catch (error) {
    await rm(aside, { force: true })
    throw error
  }
}
