import type { Document } from '../schema/document.js'
import type { SearchEngine } from './search-engine.js'

export interface Bm25Options {
  /** Saturation of term frequency; default 1.5. */
  k1?: number
  /** Correction for document length; default 0.75. */
  b?: number
}

/** A document to be found. */
export interface IndexedDocument {
  title?: string
  text: string
}

/** Lower-case words of letters, digits and underscores; single characters count. */
export function tokenize(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? []
}

/** One term's documents and their term scores: what a query adds up. */
interface Postings {
  documents: Int32Array
  scores: Float32Array
}

/**
 * BM25 over documents held in memory, in Lucene's variant as `bm25s` (PyPI) has it: scores of terms are computed when
 * the index is made. Documents that share no word with the query are not found; ties go to the earlier document.
 */
export function createBm25Engine(documents: readonly IndexedDocument[], options: Bm25Options = {}): SearchEngine {
  const index = buildIndex(documents, options)
  const scores = new Float32Array(documents.length)
  return {
    name: 'bm25',
    search(query, { topK }) {
      scores.fill(0)
      const touched = new Set<number>()
      for (const term of tokenize(query)) {
        const postings = index.get(term)
        postings?.documents.forEach((document, i) => {
          scores[document]! += postings.scores[i]!
          touched.add(document)
        })
      }
      const best = [...touched].sort((a, b) => scores[b]! - scores[a]! || a - b).slice(0, topK)
      return Promise.resolve(best.map((id, i): Document => ({ ...documents[id]!, rank: i + 1, score: scores[id]! })))
    },
  }
}

function buildIndex(documents: readonly IndexedDocument[], { k1 = 1.5, b = 0.75 }: Bm25Options): Map<string, Postings> {
  const counts = new Map<string, Map<number, number>>()
  const lengths = documents.map((document, id) => {
    const terms = tokenize(document.text)
    for (const term of terms) {
      const own = counts.get(term) ?? new Map<number, number>()
      counts.set(term, own.set(id, (own.get(id) ?? 0) + 1))
    }
    return terms.length
  })
  const average = lengths.reduce((a, c) => a + c, 0) / Math.max(1, lengths.length)
  return new Map(
    [...counts].map(([term, own]) => {
      const rarity = Math.log(1 + (documents.length - own.size + 0.5) / (own.size + 0.5))
      const scored = [...own].map(
        ([id, count]) => (rarity * count) / (count + k1 * (1 - b + (b * lengths[id]!) / average)),
      )
      return [term, { documents: Int32Array.from(own.keys()), scores: Float32Array.from(scored) }]
    }),
  )
}
