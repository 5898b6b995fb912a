import http from 'node:http'
import type { IncomingMessage } from 'node:http'
import https from 'node:https'
import { isIP } from 'node:net'
import { Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { STATUS_CODES } from 'node:http'
import { checkedLookup, notPublic } from './public-address.js'

/** A page as it came. */
export interface FetchedPage {
  /** Its address, redirects followed. */
  url: string
  /** With its charset: `text/html; charset=utf-8`. */
  contentType: string
  bytes: Buffer
}

export interface PageLimits {
  /** Most bytes, unpacked. */
  maxBytes: number
  signal: AbortSignal
  /** Which addresses may be asked; of each name and each redirect. */
  allows: (address: string) => boolean
}

const REDIRECTS = 5
const TYPES = ['text/html', 'application/xhtml+xml', 'text/plain']
const UNPACK = { gzip: createGunzip, 'x-gzip': createGunzip, deflate: createInflate, br: createBrotliDecompress }

/**
 * Fetches a page of HTML or a plain text, redirects followed. Nothing of this machine goes with it but a name of the program.
 * @throws {Error} that says why not; the signal's reason
 */
export async function fetchPage(url: string, limits: PageLimits): Promise<FetchedPage> {
  let target = addressOf(url)
  for (let redirects = 0; ; redirects++) {
    const response = await get(target, limits)
    try {
      const { statusCode: status = 0, headers } = response
      if (status >= 300 && status < 400 && headers.location !== undefined) {
        if (redirects === REDIRECTS) throw new Error(`it redirects more than ${REDIRECTS} times`)
        target = addressOf(headers.location, target)
        continue
      }
      if (status !== 200) throw new Error(`the server answered ${status} ${STATUS_CODES[status] ?? ''}`.trim())
      const contentType = headers['content-type'] ?? 'text/html'
      const type = contentType.split(';', 1)[0]!.trim().toLowerCase()
      if (!TYPES.includes(type)) throw new Error(`it must be HTML or plain text, is ${type.slice(0, 60)}`)
      return { url: target.href, contentType, bytes: await read(response, limits) }
    } finally {
      response.destroy()
    }
  }
}

function addressOf(text: string, base?: URL): URL {
  let url: URL
  try {
    url = new URL(text, base)
  } catch {
    throw new Error(`${JSON.stringify(text.slice(0, 100))} is no address`)
  }
  if (!/^https?:$/.test(url.protocol))
    throw new Error(`an address must begin with http:// or https://, got ${url.protocol}`)
  // They would be sent, and shown.
  url.username = ''
  url.password = ''
  url.hash = ''
  return url
}

function get(url: URL, { signal, allows }: PageLimits): Promise<IncomingMessage> {
  const { request } = url.protocol === 'https:' ? https : http
  // Node looks up names alone. A URL holds IPv4 in one form, whatever it was written in (0x7f.1, 2130706433).
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) && !allows(host)) return Promise.reject(notPublic(host))
  return new Promise((resolve, reject) => {
    const asked = request(url, {
      signal,
      // A connection that is kept would have been checked for another name.
      agent: false,
      lookup: checkedLookup(allows),
      headers: {
        accept: 'text/html, text/plain;q=0.8',
        'accept-encoding': Object.keys(UNPACK).join(', '),
        'user-agent': 'zerosearch page reader',
      },
    })
    asked.on('response', resolve)
    asked.on('error', (error) => reject(signal.aborted ? (signal.reason as Error) : error))
    asked.end()
  })
}

async function read(response: IncomingMessage, { maxBytes, signal }: PageLimits): Promise<Buffer> {
  const encoding = response.headers['content-encoding']?.trim().toLowerCase() ?? 'identity'
  const unpack = UNPACK[encoding as keyof typeof UNPACK]
  if (!unpack && encoding !== 'identity') throw new Error(`it is packed in an unknown way (${encoding.slice(0, 60)})`)
  const stream: Readable = unpack ? response.pipe(unpack()) : response
  // A pipe passes no faults on.
  response.on('error', (error) => stream.destroy(error))
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > maxBytes) throw new Error(`it has more than ${maxBytes} bytes (maxBytes)`)
      chunks.push(chunk)
    }
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
  return Buffer.concat(chunks)
}
