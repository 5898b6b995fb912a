import { z } from 'zod'
import { interruptSignal } from '../../host/jupyter.js'
import { anAbortSignal, parseOptions } from '../../schema/parse-options.js'
import { abortable } from '../../signal/abortable.js'
import { fetchPage } from './fetch-page.js'
import { readInThread } from './page-thread.js'
import { isPublicAddress } from './public-address.js'

/** A page of the web, as a text. */
export interface Page {
  /** Its address, redirects followed. */
  url: string
  /** Empty where it has none. */
  title: string
  /** Its main text, paragraph by paragraph, a line each. */
  text: string
}

/** Options of `readPage`. */
export interface ReadPageOptions {
  /** Most bytes of the page, unpacked. Default 4 MiB. */
  maxBytes?: number
  /** Most time to fetch it, and as much to read it, in milliseconds. Default 15,000. */
  timeoutMs?: number
  /** Characters of the text; it is cut between words. Default 10,000. */
  maxCharacters?: number
  /** Gives up at once. Default: the stop button of the notebook. */
  signal?: AbortSignal
}

const count = z.int().min(1)
const schema = z.strictObject({
  url: z.string().min(1),
  maxBytes: count.default(4 * 2 ** 20),
  timeoutMs: count.max(2 ** 31 - 1).default(15_000),
  maxCharacters: count.default(10_000),
  signal: anAbortSignal().exactOptional(),
})

/**
 * Reads a page of HTML or plain text from the web: its main text, by Mozilla's Readability. No script of it runs, and nothing
 * that it names is loaded. Only addresses of the open internet are asked, also after redirects.
 * @throws where the page cannot be had or read, with the cause; where an option is not what it must be
 * @example
 * const { title, text } = await zs.readPage('https://en.wikipedia.org/wiki/Lima', { maxCharacters: 3000 })
 */
export function readPage(url: string, options: ReadPageOptions = {}): Promise<Page> {
  return readAllowedPage(url, options, isPublicAddress)
}

/** `readPage` from other addresses than the public ones. */
export async function readAllowedPage(
  url: string,
  options: ReadPageOptions,
  allows: (address: string) => boolean,
): Promise<Page> {
  const given = parseOptions('read page', schema, { url, ...options })
  const { maxBytes, timeoutMs, maxCharacters, signal = interruptSignal() } = given
  const controller = new AbortController()
  const stop = (): void => controller.abort(signal?.reason)
  signal?.addEventListener('abort', stop)
  if (signal?.aborted) stop()
  const timer = setTimeout(() => controller.abort(new Error(`it did not come in ${timeoutMs / 1000} s`)), timeoutMs)
  try {
    // A name that is looked up cannot be given up.
    const page = await abortable(fetchPage(url, { maxBytes, allows, signal: controller.signal }), controller.signal)
    clearTimeout(timer)
    const { bytes, contentType } = page
    const { title, text } = await abortable(readInThread({ bytes, contentType }, timeoutMs), controller.signal)
    return { url: page.url, title, text: cut(text, maxCharacters) }
  } catch (error) {
    signal?.throwIfAborted()
    const cause = error instanceof Error ? error.message : String(error)
    throw new Error(`read page ${url.slice(0, 200)}: ${cause}`, { cause: error })
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
  }
}

function cut(text: string, characters: number): string {
  if (text.length <= characters) return text
  const head = text.slice(0, characters + 1)
  const end = head.search(/\s\S*$/)
  // A word may be longer than all that is wanted; a character of two units is never cut.
  return end > 0 ? head.slice(0, end).trimEnd() : head.slice(0, characters).replace(/[\ud800-\udbff]$/, '')
}
