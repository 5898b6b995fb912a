import { z } from 'zod'
import { withProgress } from '../host/progress.js'
import type { Document } from '../schema/document.js'
import { aFunction, parseOptions } from '../schema/parse-options.js'
import { buildBm25Index, tokenize } from './bm25-index.js'
import type { Bm25Index, IndexedDocument } from './bm25-index.js'
import type { SearchEngine } from './search-engine.js'

/** Options of `createBm25Engine`. */
export interface Bm25Options {
  /** Saturation of term frequency, at least 0; default 1.5. */
  k1?: number
  /** Correction for document length, in [0, 1]; default 0.75. */
  b?: number
  /** Documents that have been read, of all; the last call is made when the index is ready. */
  onProgress?: (done: number, total: number) => void
  /** Shows how far it is where it takes longer than a second. Default: true, unless `onProgress` is given. */
  progress?: boolean
}

const optionsSchema = z.strictObject({
  k1: z.number().min(0).default(1.5),
  b: z.number().min(0).max(1).default(0.75),
  onProgress: aFunction<NonNullable<Bm25Options['onProgress']>>().optional(),
  progress: z.boolean().optional(),
})

/**
 * BM25 over documents held in memory, in the Lucene variant, like the Python package `bm25s`. Term scores are computed
 * when the index is made. The index is made in small steps, so that other work can run meanwhile. Documents that share no
 * word with the query are not found; ties go to the earlier document.
 * @throws where there are no documents, one of them has no text, or an option is not what it must be
 * @example
 * const engine = await zs.createBm25Engine(await zs.mini.documents('test'))
 * await zs.display(await engine.search('capital of Peru', { question, topK: 5 }))
 */
export async function createBm25Engine(
  documents: readonly IndexedDocument[],
  options: Bm25Options = {},
): Promise<SearchEngine> {
  const { k1, b, onProgress, ...rest } = parseOptions('bm25', optionsSchema, options)
  const { progress = onProgress === undefined } = rest
  checkDocuments(documents)
  // What the caller does to the list while it is read changes nothing.
  const corpus = [...documents]
  const total = corpus.length
  const index = await withProgress({ title: 'createBm25Engine', unit: 'documents', total, progress }, (report) =>
    buildBm25Index(corpus, k1, b, (read) => {
      report(read)
      onProgress?.(read, total)
    }),
  )
  onProgress?.(total, total)
  const scores = new Float32Array(total)
  return {
    name: 'bm25',
    search(query, { topK }) {
      if (typeof query !== 'string') {
        return Promise.reject(new Error(`bm25 search: the query must be a text, got ${typeof query}`))
      }
      if (!Number.isInteger(topK) || topK < 1) {
        return Promise.reject(new Error(`bm25 search: topK must be a positive integer, got ${topK}`))
      }
      const found = addScores(index, query, scores)
      const results = best(found, scores, topK).map((id, i) => result(corpus[id]!, i + 1, scores[id]!))
      // The buffer of scores is used again.
      for (const document of found) scores[document] = 0
      return Promise.resolve(results)
    },
  }
}

function checkDocuments(documents: readonly IndexedDocument[]): void {
  if (!Array.isArray(documents)) {
    throw new Error(`bm25: documents must be a list, got ${typeof documents}; did you forget to await their reading?`)
  }
  if (documents.length === 0) throw new Error('bm25: there must be at least one document, got none')
  for (const [i, { text, title }] of (documents as readonly { text?: unknown; title?: unknown }[]).entries()) {
    const [field, value] = typeof text === 'string' ? ['title', title ?? ''] : ['text', text]
    if (typeof value === 'string') continue
    throw new Error(`bm25: the ${field} of a document must be a string, got ${String(value)} at index ${i}`)
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
