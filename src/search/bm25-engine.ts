import { z } from 'zod'
import type { Document } from '../schema/document.js'
import { parseOptions } from '../schema/parse-options.js'
import { tokenize } from './bm25-index.js'
import type { Bm25Index, IndexedDocument } from './bm25-index.js'
import { saveBm25 } from './bm25-store.js'
import type { StoredBm25 } from './bm25-store.js'
import type { SearchEngine } from './search-engine.js'

/** BM25 over documents, which can be saved. */
export interface Bm25Engine extends SearchEngine {
  /** Number of documents. */
  readonly documents: number
  /**
   * Writes index and documents as a folder, which `loadBm25` reads. The folder appears when it is whole.
   * @param options `overwrite`: true replaces the index that is in the folder; default false: that is refused.
   * @throws where the folder holds an index and `overwrite` is not said, holds something else, or cannot be written
   */
  save(folder: string, options?: { overwrite?: boolean }): Promise<void>
}

const saveSchema = z.strictObject({ folder: z.string().min(1), overwrite: z.boolean().default(false) })

/** An engine out of its index and its documents. */
export function bm25Engine(bm25: StoredBm25): Bm25Engine {
  const { index, texts, k1, b } = bm25
  const scores = new Float32Array(texts.length)
  return {
    name: 'bm25',
    documents: texts.length,
    parameters: { documents: texts.length, k1, b },
    async search(query, { topK }) {
      if (typeof query !== 'string') throw new Error(`bm25 search: the query must be a text, got ${typeof query}`)
      if (!Number.isInteger(topK) || topK < 1) {
        throw new Error(`bm25 search: topK must be a positive integer, got ${topK}`)
      }
      const found = addScores(index, query, scores)
      const ranked = best(found, scores, topK).map((document) => ({ document, score: scores[document]! }))
      // The buffer of scores is used again, by the next search perhaps before these documents have been read.
      for (const document of found) scores[document] = 0
      return Promise.all(ranked.map(async ({ document, score }, i) => result(await texts.read(document), i + 1, score)))
    },
    async save(folder, options = {}) {
      const given = parseOptions('save bm25', saveSchema, { ...options, folder })
      await saveBm25(given.folder, bm25, given.overwrite)
    },
  }
}

/** Adds up what each word of the query gives. Returns the documents that now have a score. */
function addScores(index: Bm25Index, query: string, scores: Float32Array): number[] {
  const found: number[] = []
  for (const word of tokenize(query)) {
    const term = index.terms.get(word)
    if (term === undefined) continue
    for (let i = index.offsets[term]!; i < index.offsets[term + 1]!; i++) {
      const document = index.documents[i]!
      if (scores[document] === 0) found.push(document)
      scores[document]! += index.scores[i]!
    }
  }
  return found
}

/** The `limit` documents with the highest scores, the highest first; they are never all sorted. */
function best(found: readonly number[], scores: Float32Array, limit: number): number[] {
  const order = (a: number, b: number): number => scores[b]! - scores[a]! || a - b
  let chosen: number[] = []
  let last: number | undefined
  for (const document of found) {
    if (last !== undefined && order(last, document) < 0) continue
    chosen.push(document)
    if (chosen.length < 2 * limit + 64) continue
    chosen = chosen.sort(order).slice(0, limit)
    last = chosen.at(-1)
  }
  return chosen.sort(order).slice(0, limit)
}

function result({ id, title, text, metadata }: IndexedDocument, rank: number, score: number): Document {
  return {
    ...(id !== undefined && { id }),
    ...(title !== undefined && { title }),
    text,
    rank,
    score,
    ...(metadata && { metadata }),
  }
}
