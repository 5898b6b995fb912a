import { z } from 'zod'
import { withProgress } from '../host/progress.js'
import { aFunction, parseOptions } from '../schema/parse-options.js'
import { bm25Engine } from './bm25-engine.js'
import type { Bm25Engine } from './bm25-engine.js'
import { buildBm25Index } from './bm25-index.js'
import type { IndexedDocument } from './bm25-index.js'
import { loadStoredBm25 } from './bm25-store.js'

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
): Promise<Bm25Engine> {
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
  return bm25Engine({ index, texts: { length: total, read: (document) => corpus[document]! }, k1, b })
}

/**
 * A BM25 engine out of a folder that `engine.save(folder)` wrote. The index comes into the memory, and is checked; the documents
 * stay on the disk, and are read when they are found.
 * @throws where the folder holds no index, one of another version, or a damaged one
 * @example
 * const engine = await zs.createBm25Engine(await zs.readDocuments('wiki18.jsonl'))
 * await engine.save('wiki18-bm25')
 * const again = await zs.loadBm25('wiki18-bm25')
 */
export async function loadBm25(folder: string): Promise<Bm25Engine> {
  parseOptions('load bm25', z.strictObject({ folder: z.string().min(1) }), { folder })
  return withProgress({ title: 'loadBm25' }, async () => bm25Engine(await loadStoredBm25(folder)))
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
