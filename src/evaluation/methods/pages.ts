import { normalizeAnswer } from '../../reward/normalize-answer.js'
import type { Document } from '../../schema/document.js'
import { anObject } from '../../schema/parse-options.js'
import { abortable } from '../../signal/abortable.js'
import type { Attempt } from './attempt.js'

/** Fetches a page as plain text. Rejects where it cannot. */
export interface PageReader {
  /** @param url An address that a search has shown. */
  read(url: string, context: { signal?: AbortSignal }): Promise<string>
}

export const pageReaderSchema = anObject<PageReader>('a page reader', ['read'])

/** The pages of one question: what searches found, by address, and what was read of it. */
export class Pages {
  private readonly shown = new Map<string, Document>()
  private readonly texts = new Map<string, Promise<string | undefined>>()

  constructor(
    private readonly attempt: Attempt,
    private readonly reader: PageReader | undefined,
  ) {}

  /** The address of a document that was found: its own, or a number where the engine has none. */
  show(document: Document): string {
    const { title = '', text } = document
    const known = [...this.shown].find(([, other]) => (other.title ?? '') === title && other.text === text)
    const url = document.url ?? known?.[0] ?? `doc:${this.shown.size + 1}`
    this.shown.set(url, document)
    return url
  }

  /** Whether a search has shown this address. No other is read: one out of a page or a mind may lead anywhere. */
  isShown(url: string): boolean {
    return this.shown.has(url)
  }

  /** Whether the page was read before: it counts once. */
  isRead(url: string): boolean {
    return this.texts.has(url)
  }

  /**
   * The whole page, read once for a question; undefined where it cannot be had. Without a reader, and for addresses that are
   * none, the page is the document that was found.
   */
  read(url: string): Promise<string | undefined> {
    let text = this.texts.get(url)
    if (!text) this.texts.set(url, (text = this.fetch(url)))
    return text
  }

  private async fetch(url: string): Promise<string | undefined> {
    const document = this.shown.get(url)
    if (!document) return undefined
    this.attempt.spent.pages++
    const { signal } = this.attempt
    if (!this.reader || document.url === undefined) return document.text
    try {
      const text: unknown = await abortable(Promise.resolve(this.reader.read(url, { signal })), signal)
      return typeof text === 'string' ? text : undefined
    } catch {
      signal.throwIfAborted()
      return undefined
    }
  }
}

/** F1 of two texts' sets of normalised words: what is said twice counts once. */
export function wordSetF1(text: string, other: string): number {
  const [a, b] = [words(text), words(other)]
  const shared = [...a].filter((word) => b.has(word)).length
  return shared === 0 ? 0 : (2 * shared) / (a.size + b.size)
}

const words = (text: string): Set<string> =>
  new Set(
    normalizeAnswer(text)
      .split(' ')
      .filter((word) => word !== ''),
  )

const sentences = new Intl.Segmenter('en', { granularity: 'sentence' })

/**
 * The part of a page that a snippet is of, as Search-o1's code cuts it: so many characters on either side of the sentence that
 * is nearest to the snippet (word-set F1 over 0.2), else as many from the beginning.
 */
export function pageWindow(page: string, snippet: string, around = 3000): string {
  let best = { f1: 0.2, start: -1, end: -1 }
  for (const { segment, index } of sentences.segment(page)) {
    const f1 = wordSetF1(segment, snippet)
    if (f1 > best.f1) best = { f1, start: index, end: index + segment.length }
  }
  if (best.start < 0) return page.slice(0, 2 * around)
  return page.slice(Math.max(0, best.start - around), best.end + around)
}
