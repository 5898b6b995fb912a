import http from 'node:http'
import type { IncomingMessage } from 'node:http'
import https from 'node:https'
import { ReadableStream } from 'node:stream/web'
import { RequestFailure } from './request-failure.js'

/** What is fetched, and how much of it. */
export interface FetchLimits {
  /** Most time until the connection stands. */
  connectTimeoutMs: number
  /** Most bytes of an answer. */
  maxBytes: number
}

/** One request; redirects are not followed, so that a key goes nowhere else. */
export interface FetchRequest {
  method?: string
  headers?: Headers
  body?: string | undefined
  signal?: AbortSignal | null | undefined
  /** What no message may show, though the server repeats it. */
  secret?: string | undefined
}

const MODULES = { 'http:': http, 'https:': https }
const AGENTS = {
  'http:': new http.Agent({ keepAlive: true }),
  'https:': new https.Agent({ keepAlive: true }),
}

/**
 * `fetch` over `node:http`: Node's own limits neither how long a connection may take, nor lets an answer take longer than
 * five minutes to begin.
 * @throws {RequestFailure} or an error of the network
 */
export function limitedFetch(url: string, request: FetchRequest, limits: FetchLimits): Promise<Response> {
  const target = new URL(url)
  const protocol = target.protocol as keyof typeof MODULES
  return new Promise((resolve, reject) => {
    const sent = MODULES[protocol].request(target, {
      method: request.method ?? 'GET',
      headers: Object.fromEntries(request.headers ?? []),
      agent: AGENTS[protocol],
      ...(request.signal && { signal: request.signal }),
    })
    sent.on('socket', (socket) => {
      if (!socket.connecting) return
      const timer = setTimeout(() => {
        const seconds = limits.connectTimeoutMs / 1000
        sent.destroy(new RequestFailure(`cannot be reached in ${seconds} s (connectTimeoutMs)`, { kind: 'fault' }))
      }, limits.connectTimeoutMs)
      const stop = (): void => clearTimeout(timer)
      socket.once(protocol === 'https:' ? 'secureConnect' : 'connect', stop).once('close', stop)
    })
    sent.on('error', reject)
    sent.on('response', (message) => resolve(responseOf(message, limits.maxBytes)))
    sent.end(request.body)
  })
}

/** Statuses that have no body. */
const EMPTY = [204, 205, 304]

function responseOf(message: IncomingMessage, maxBytes: number): Response {
  const headers = new Headers()
  for (const [name, value] of Object.entries(message.headersDistinct)) {
    for (const each of value ?? []) headers.append(name, each)
  }
  const status = message.statusCode!
  if (EMPTY.includes(status)) message.resume()
  const body = EMPTY.includes(status) ? null : ReadableStream.from(limited(message, maxBytes))
  return new Response(body as ConstructorParameters<typeof Response>[0], { status, headers })
}

async function* limited(message: IncomingMessage, maxBytes: number): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) {
      throw new RequestFailure(`sent more than ${maxBytes} bytes`, { kind: 'fault' })
    }
    yield chunk
  }
}
