import type { Document, Quality } from '../schema/document.js'
import type { Question } from '../schema/question.js'

/** What an engine may need besides the query. Real engines read `topK` alone; a simulator reads the rest. */
export interface SearchContext {
  /** The question that the search is for. */
  question: Question
  /** Number of documents wanted. */
  topK: number
  /** Quality asked of a simulator. Default useful. */
  quality?: Quality
  /** Makes a sampled answer repeat. Default 0. */
  seed?: number
  /** Aborts when nobody waits for the answer any more: what costs time or money should then stop. */
  signal?: AbortSignal
  /** Given what an engine received in answer, where it could read no documents in it. */
  onUnread?: (text: string) => void
}

/** Anything that answers a query with ranked documents. Rejects when it cannot; an empty list means nothing found. */
export interface SearchEngine {
  /** Shown in messages; a resumed training checks that it is the same. */
  readonly name: string
  /** What else decides its documents, beside its name: a saved evaluation tells engines apart by it. */
  readonly parameters?: Readonly<Record<string, unknown>>
  /** The best documents for a query, at most `topK`. */
  search(query: string, context: SearchContext): Promise<Document[]>
}
