import { z } from 'zod'
import { openRecords } from '../file/read-records.js'
import { parseOptions } from '../schema/parse-options.js'
import type { TextExample } from '../schema/text-example.js'
import { RowFault } from './fields.js'
import { textExampleOf } from './text-example.js'

/** A record of a file of examples, or what is wrong in its place. */
export interface PlacedExample {
  /** Where it is, for messages: `line 3`. */
  place: string
  example?: TextExample
  /** Why there is no example, as the end of a sentence about the place. */
  fault?: string
}

/** Options of `readExamples`. */
export interface ReadExamplesOptions {
  /** What is done with records that are no examples: an error that counts them, or a warning. Default `throw`. */
  faults?: 'throw' | 'skip'
}

const optionsSchema = z.strictObject({
  path: z.string().min(1),
  faults: z.enum(['throw', 'skip']).default('throw'),
})

/**
 * Reads examples for `finetune`: records of `messages`, or of `prompt` and `completion`, with or without `tools` (JSONL, JSON, Parquet; texts also as
 * CSV and TSV). Other columns are left alone.
 * @throws where there is no such file, it holds no example, or a record is none
 * @example
 * const examples = await zs.readExamples('dialogues.jsonl')
 * await zs.finetune({ model, examples: examples.slice(0, 1000) })
 */
export async function readExamples(path: string, options: ReadExamplesOptions = {}): Promise<TextExample[]> {
  const { faults } = parseOptions('read examples', optionsSchema, { ...options, path })
  const examples: TextExample[] = []
  const bad: string[] = []
  let records = 0
  for await (const { place, example, fault } of streamExamples(path)) {
    records++
    if (example) examples.push(example)
    else bad.push(`${place}: ${fault!}`)
  }
  reportFaults(`read examples ${path}`, bad, records, faults)
  return examples
}

/** The records of a file, one after the other. */
export async function* streamExamples(path: string): AsyncGenerator<PlacedExample> {
  const wanted = ['messages', 'prompt', 'completion', 'tools']
  const { records } = await openRecords(path, 'examples', (columns) => {
    const found = columns.filter((column) => wanted.includes(column))
    // What is there instead is part of the error.
    return found.length > 0 ? found : columns
  })
  for await (const { place, value, fault } of records)
    yield fault === undefined ? placed(place, value) : { place, fault }
}

/** A record as an example, or what is wrong with it. */
export function placed(place: string, record: unknown): PlacedExample {
  try {
    return { place, example: textExampleOf(record) }
  } catch (error) {
    if (error instanceof RowFault) return { place, fault: error.message }
    throw error
  }
}

/** Faults that a message names. */
const SHOWN = 5

/**
 * Says which of some records do not fit, as an error or as a warning.
 * @param bad Place and fault of each.
 */
export function reportFaults(
  operation: string,
  bad: readonly string[],
  records: number,
  faults: 'throw' | 'skip',
): void {
  if (records === 0) throw new Error(`${operation}: there are no records`)
  if (bad.length === 0) return
  const more = bad.length > SHOWN ? `; and ${bad.length - SHOWN} more` : ''
  const list = `${bad.slice(0, SHOWN).join('; ')}${more}`
  if (bad.length === records)
    throw new Error(`${operation}: none of ${records} records is an example that fits: ${list}`)
  const count = `${bad.length} of ${records} records`
  if (faults === 'throw')
    throw new Error(`${operation}: ${count} do not fit: ${list}. Mend them, or leave them out with faults: 'skip'`)
  console.warn(`${operation}: ${count} are left out because they do not fit: ${list}`)
}
