import type { Document } from '../../schema/document.js'
import type { SearchEngine } from '../search-engine.js'
import type { Page, ReadPageOptions } from './read-page.js'

/** Fetches a page and reads it. */
export type PageReader = (url: string, options: ReadPageOptions) => Promise<Page>

/** Reads the pages of an engine's results. Where one cannot be read, the snippet stays, and `unreadPage` says why. */
export function withPages(engine: SearchEngine, read: PageReader): SearchEngine {
  async function readDocument(document: Document, signal: AbortSignal | undefined): Promise<Document> {
    const url = document.metadata?.['url']
    if (typeof url !== 'string') return document
    try {
      const { title, text } = await read(url, signal ? { signal } : {})
      if (text === '') throw new Error('it has no text')
      return { ...document, ...(title !== '' && { title }), text }
    } catch (error) {
      signal?.throwIfAborted()
      const unreadPage = error instanceof Error ? error.message : String(error)
      return { ...document, metadata: { ...document.metadata, unreadPage } }
    }
  }
  return {
    name: engine.name,
    async search(query, context) {
      const documents = await engine.search(query, context)
      return Promise.all(documents.map((document) => readDocument(document, context.signal)))
    },
  }
}
