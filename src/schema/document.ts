/** One search result. */
export interface Document {
  /** Its id in its corpus, where the engine has one. */
  id?: string
  /** Where the engine has one. */
  title?: string
  /** What the document says. */
  text: string
  /** Place in the result list, from 1. */
  rank: number
  /** The engine's own relevance score, where it has one; comparable within one result list only. */
  score?: number
  /** What else its corpus says about it, by the name of the field. */
  metadata?: Record<string, unknown>
}

/** The quality that a simulator is asked for: documents that answer the query, or documents that do not. */
export type Quality = 'useful' | 'noisy'
