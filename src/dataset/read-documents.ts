import { openRecords } from '../file/read-records.js'
import type { FileFormat } from '../file/read-records.js'
import { aFunction, parseOptions } from '../schema/parse-options.js'
import { z } from 'zod'
import type { HubOptions } from '../hub/hub-options.js'
import { dataFile, downloadSchema } from './data-file.js'
import type { DatasetNote } from './dataset-report.js'
import { idOf, isRow } from './fields.js'
import type { Row } from './fields.js'

/** A text that a search engine finds. */
export interface CorpusDocument {
  /** Unique in its corpus. */
  id: string
  /** What it is about; empty where its file does not say. */
  title: string
  /** What it says. */
  text: string
  /** What else its row holds, by column. */
  metadata?: Record<string, unknown>
}

/** What was found while a corpus was read. */
export interface CorpusReport {
  /** The file. */
  path: string
  /** How it holds its rows. */
  format: FileFormat
  /** Rows that were read, the bad ones included. */
  rows: number
  /** Documents that came out of them. */
  documents: number
  /** Rows that are no document, and why: broken, or without a text. Without `faults: 'skip'` there are none. */
  faulty: DatasetNote
  /** Rows whose id came before; the first one counts. Without `faults: 'skip'` there are none. */
  repeated: DatasetNote
}

/** Options of `readDocuments`. */
export interface ReadDocumentsOptions {
  /**
   * What to do with rows that are no document, or whose id came before: `throw` at the first; `skip` leaves them out, counts
   * them and tells. Default `throw`.
   */
  faults?: 'throw' | 'skip'
  /** How a file of the hub is downloaded: cache folder, revision, token, progress. */
  download?: HubOptions
  /** Told what was found, when the last row has been read. Default: what was left out is written as a warning. */
  onReport?: (report: CorpusReport) => void
}

const optionsSchema = z.strictObject({
  path: z.string().min(1),
  faults: z.enum(['throw', 'skip']).default('throw'),
  download: downloadSchema.exactOptional(),
  onReport: aFunction<NonNullable<ReadDocumentsOptions['onReport']>>().exactOptional(),
})

/** Examples that a note holds, and those of them that a warning shows. */
const HELD = 20
const SHOWN = 5

/**
 * Reads a corpus, a file or by its name a file of a dataset of the hub (as `readQuestions`): rows of `id`, `title` and `text` (JSONL, JSON, CSV, TSV, Parquet), of `_id`, `title` and `text` as BEIR has
 * them, or of `id` and `contents` as FlashRAG's and Search-R1's servers read them, where the first line is the title in quotes.
 * @throws where there is no such file, it is not UTF-8, a row is no document, or two have the same id (see `faults`)
 * @example
 * const engine = await zs.createBm25Engine(await zs.readDocuments('wiki18.jsonl'))
 * const rest = await zs.readDocuments('crawled.jsonl', { faults: 'skip' })
 */
export async function readDocuments(given: string, options: ReadDocumentsOptions = {}): Promise<CorpusDocument[]> {
  const { faults, onReport, download } = parseOptions('read documents', optionsSchema, { ...options, path: given })
  const path = await dataFile('read corpus', given, download)
  const { format, records } = await openRecords(path, 'corpus')
  const none = (): DatasetNote => ({ count: 0, examples: [] })
  const report: CorpusReport = { path, format, rows: 0, documents: 0, faulty: none(), repeated: none() }
  const documents: CorpusDocument[] = []
  const seen = new Set<string>()
  const bad = (kind: 'faulty' | 'repeated', place: string, rule: string): void => {
    if (faults === 'throw') throw new Error(`read corpus ${path}, ${place}: ${rule}`)
    const note = report[kind]
    note.count++
    if (note.examples.length < HELD) note.examples.push(`${place}: ${rule}`)
  }
  for await (const { place, value, fault } of records) {
    report.rows++
    const document = fault === undefined ? documentOf(isRow(value) ? value : {}, documents.length) : fault
    if (typeof document === 'string') bad('faulty', place, document)
    else if (seen.has(document.id)) bad('repeated', place, `ids must be unique, got ${document.id} twice`)
    else {
      seen.add(document.id)
      documents.push(document)
    }
  }
  report.documents = documents.length
  if (onReport) onReport(report)
  else warn(report)
  return documents
}

/** Columns that are no metadata. */
const KNOWN = new Set(['id', '_id', 'title', 'text', 'contents', 'metadata'])

/** A row's document, or why there is none. */
function documentOf(row: Row, number: number): CorpusDocument | string {
  const { contents, text, title, metadata } = row
  if (typeof (contents ?? text) !== 'string') {
    return `a document must have text or contents; the columns are ${Object.keys(row).join(', ') || 'none'}`
  }
  const rest = Object.entries(row).filter(([name, value]) => !KNOWN.has(name) && value !== null)
  const more = { ...(isRow(metadata) && metadata), ...Object.fromEntries(rest) }
  return {
    id: idOf(row['id'] ?? row['_id']) ?? String(number),
    ...(typeof contents === 'string'
      ? titled(contents)
      : { title: typeof title === 'string' ? title : '', text: text as string }),
    ...(Object.keys(more).length > 0 && { metadata: more }),
  }
}

function titled(contents: string): { title: string; text: string } {
  const end = contents.indexOf('\n')
  if (end < 0) return { title: '', text: contents }
  return { title: contents.slice(0, end).replace(/^"(.*)"$/, '$1'), text: contents.slice(end + 1) }
}

function warn({ path, faulty, repeated }: CorpusReport): void {
  for (const [{ count, examples }, why] of [
    [faulty, 'they are no documents'],
    [repeated, 'their id came before'],
  ] as const) {
    if (count === 0) continue
    const more = count > SHOWN ? `; and ${count - SHOWN} more` : ''
    console.warn(
      `read corpus ${path}: ${count} ${count === 1 ? 'row is' : 'rows are'} left out because ${why}: ${examples.slice(0, SHOWN).join('; ')}${more}`,
    )
  }
}
