import { normalizeAnswer } from '../../reward/normalize-answer.js'
import type { Document } from '../../schema/document.js'
import { aFunction } from '../../schema/parse-options.js'
import { abortable } from '../../signal/abortable.js'
import type { Attempt } from './attempt.js'

/** Fetches a page that a search has shown, as plain text; such as `zs.readPage`. Rejects where it cannot. */
export type FetchPage = (url: string, options: { signal?: AbortSignal }) => Promise<{ text: string }>

export const fetchPageSchema = aFunction<FetchPage>()

/** The pages of one question: what searches found, by address, and what was read of it. */
export class Pages {
  private readonly shown = new Map<string, Document>()
  private readonly texts = new Map<string, Promise<string | undefined>>()

  constructor(
    private readonly attempt: Attempt,
    private readonly fetchPage: FetchPage | undefined,
  ) {}

  /** The address of a document that was found: its own, or a number where the engine has none. */
  show(document: Document): string {
    const { title = '', text } = document
    const known = [...this.shown].find(([, other]) => (other.title ?? '') === title && other.text === text)
    const url = addressOf(document) ?? known?.[0] ?? `doc:${this.shown.size + 1}`
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
    if (!this.fetchPage || addressOf(document) === undefined) return document.text
    try {
      const page: { text?: unknown } | undefined = await abortable(this.fetchPage(url, { signal }), signal)
      return typeof page?.text === 'string' ? page.text : undefined
    } catch {
      signal.throwIfAborted()
      return undefined
    }
  }
}

/** Engines of the web tell it as `metadata.url`. */
function addressOf({ metadata }: Document): string | undefined {
  const url = metadata?.['url']
  return typeof url === 'string' && url !== '' ? url : undefined
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
