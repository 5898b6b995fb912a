/** One search result. */
export interface Document {
  /** Where the engine has one. */
  title?: string
  /** Address of the whole page, where the engine tells it. */
  url?: string
  /** What the document says. */
  text: string
  /** Place in the result list, from 1. */
  rank: number
  /** The engine's own relevance score, where it has one; comparable within one result list only. */
  score?: number
}

/** The quality that a simulator is asked for: documents that answer the query, or documents that do not. */
export type Quality = 'useful' | 'noisy'
