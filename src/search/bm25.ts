import type { Document } from '../schema/document.js'
import type { SearchEngine } from './search-engine.js'

export interface Bm25Options {
  /** Saturation of term frequency; default 1.5. */
  k1?: number
  /** Correction for document length, in [0, 1]; default 0.75. */
  b?: number
}

/** A document to be found, by the words of its title and its text. */
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
      if (!Number.isInteger(topK) || topK < 1) {
        return Promise.reject(new Error(`bm25 search: topK must be a positive integer, got ${topK}`))
      }
      const found: number[] = []
      for (const term of tokenize(query)) {
        const postings = index.get(term)
        if (!postings) continue
        for (let i = 0; i < postings.documents.length; i++) {
          const document = postings.documents[i]!
          if (scores[document] === 0) found.push(document)
          scores[document]! += postings.scores[i]!
        }
      }
      const best = found.sort((a, b) => scores[b]! - scores[a]! || a - b).slice(0, topK)
      const results = best.map((id, i) => result(documents[id]!, i + 1, scores[id]!))
      // The buffer of scores is used again.
      for (const document of found) scores[document] = 0
      return Promise.resolve(results)
    },
  }
}

function result({ title, text }: IndexedDocument, rank: number, score: number): Document {
  return { ...(title !== undefined && { title }), text, rank, score }
}

function buildIndex(documents: readonly IndexedDocument[], { k1 = 1.5, b = 0.75 }: Bm25Options): Map<string, Postings> {
  if (!(k1 >= 0)) throw new Error(`bm25: k1 must be a number of at least 0, got ${k1}`)
  if (!(b >= 0 && b <= 1)) throw new Error(`bm25: b must be in [0, 1], got ${b}`)
  const counts = new Map<string, Map<number, number>>()
  const lengths = documents.map(({ title = '', text }, id) => {
    const terms = tokenize(`${title} ${text}`)
    for (const term of terms) {
      let own = counts.get(term)
      if (!own) counts.set(term, (own = new Map<number, number>()))
      own.set(id, (own.get(id) ?? 0) + 1)
    }
    return terms.length
  })
  const average = lengths.reduce((sum, length) => sum + length, 0) / Math.max(1, lengths.length)
  return new Map(
    [...counts].map(([term, own]) => {
      const rarity = Math.log(1 + (documents.length - own.size + 0.5) / (own.size + 0.5))
      const scores = Float32Array.from(
        [...own],
        ([id, count]) => (rarity * count) / (count + k1 * (1 - b + (b * lengths[id]!) / average)),
      )
      return [term, { documents: Int32Array.from(own.keys()), scores }]
    }),
  )
}
