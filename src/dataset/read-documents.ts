import { openRecords } from '../file/read-records.js'
import { parseOptions } from '../schema/parse-options.js'
import { z } from 'zod'
import { idOf, isRow } from './fields.js'

/** A text that a search engine finds. */
export interface CorpusDocument {
  /** Unique in its corpus. */
  id: string
  /** What it is about; empty where its file does not say. */
  title: string
  /** What it says. */
  text: string
}

/**
 * Reads a corpus: rows of `id`, `title` and `text` (JSONL, JSON, CSV, TSV, Parquet), or of `id` and `contents` as FlashRAG's
 * and Search-R1's servers read them, where the first line is the title in quotes.
 * @throws where there is no such file, a row is no document, or two have the same id
 * @example
 * const engine = await zs.createBm25Engine(await zs.readDocuments('wiki18.jsonl'))
 */
export async function readDocuments(path: string): Promise<CorpusDocument[]> {
  parseOptions('read documents', z.strictObject({ path: z.string().min(1) }), { path })
  const { records } = await openRecords(path, 'corpus')
  const documents: CorpusDocument[] = []
  const seen = new Set<string>()
  for await (const { place, value, fault } of records) {
    const refuse = (rule: string): Error => new Error(`read corpus ${path}, ${place}: ${rule}`)
    if (fault !== undefined) throw refuse(fault)
    const row = isRow(value) ? value : {}
    const { contents, text, title } = row
    if (typeof (contents ?? text) !== 'string') {
      throw refuse(`a document must have text or contents; the columns are ${Object.keys(row).join(', ') || 'none'}`)
    }
    const id = idOf(row['id']) ?? String(documents.length)
    if (seen.has(id)) throw refuse(`ids must be unique, got ${id} twice`)
    seen.add(id)
    documents.push(
      typeof contents === 'string'
        ? { id, ...titled(contents) }
        : { id, title: typeof title === 'string' ? title : '', text: text as string },
    )
  }
  return documents
}

function titled(contents: string): { title: string; text: string } {
  const end = contents.indexOf('\n')
  if (end < 0) return { title: '', text: contents }
  return { title: contents.slice(0, end).replace(/^"(.*)"$/, '$1'), text: contents.slice(end + 1) }
}
