import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { abortable } from '../signal/abortable.js'
import { busy, checked, Refusal } from './refusal.js'

/** What an endpoint is given. */
export interface Call {
  /** Parsed from JSON; undefined for GET. */
  body: unknown
  /** Aborts when the client is gone, the time is up, or the server ends. */
  signal: AbortSignal
  /** Begins an answer in pieces (`text/event-stream`), instead of a value that is returned. */
  stream(): EventStream
}

/** An answer in pieces. */
export interface EventStream {
  send(event: unknown): void
}

/** Answers a call: a text as it is, undefined where it has answered in pieces, else a value that becomes JSON. */
export type Handler = (call: Call) => Promise<unknown>

/** How requests are taken. */
export interface HttpLimits {
  host: string
  port: number
  token: string | undefined
  /** Of one request's body. */
  maxBytes: number
  /** Of one request, from its head to the end of its answer. */
  timeoutMs: number
  /** Requests in flight; further ones are told to come back. */
  maxRequests: number
}

/** A server that listens. */
export interface HttpServer {
  readonly port: number
  readonly inFlight: number
  /** Refuses new requests, and waits for those in flight, as long as this; then they are ended. */
  close(graceMs: number): Promise<void>
}

/** Bodies that may be in memory at once, in units of the largest one. */
const BODIES = 16
/** How long a client that is told no may still send, or take to read the answer. */
const LINGER_MS = 5_000

/**
 * Serves endpoints by method and path, such as `POST /retrieve`. `/health` needs no token.
 * @param onEnd Told of each request when it has ended; status 499 means that its client went away.
 */
export async function serveHttp(
  endpoints: ReadonlyMap<string, Handler>,
  limits: HttpLimits,
  onEnd: (endpoint: string, status: number, seconds: number) => void,
): Promise<HttpServer> {
  const { host, port, token, maxBytes, timeoutMs, maxRequests } = limits
  const controllers = new Set<AbortController>()
  let bytesHeld = 0
  let closing: Promise<void> | undefined

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = performance.now()
    const path = request.url?.split('?', 1)[0] ?? ''
    const key = `${request.method} ${path}`
    const endpoint = endpoints.has(key) ? key : 'unknown'
    const controller = new AbortController()
    const { signal } = controller
    controllers.add(controller)
    const timers: NodeJS.Timeout[] = []
    timers.push(
      setTimeout(() => {
        controller.abort(new Refusal(504, `no answer in ${timeoutMs / 1000} s`))
        timers.push(setTimeout(() => request.socket.destroy(), LINGER_MS))
      }, timeoutMs),
    )
    let held = 0
    const hold = (bytes: number): void => {
      held += bytes
      bytesHeld += bytes
      if (bytesHeld > BODIES * maxBytes) throw busy('the server holds as many requests as it takes; try again')
    }
    response.once('close', () => {
      timers.forEach(clearTimeout)
      controllers.delete(controller)
      // Its connection may be idle only now.
      if (closing) setImmediate(() => server.closeIdleConnections())
      bytesHeld -= held
      held = 0
      const gone = !response.writableFinished
      if (gone) controller.abort(new Error('the client went away'))
      onEnd(endpoint, gone ? 499 : response.statusCode, (performance.now() - started) / 1000)
    })
    // What a client that is gone would have been told is of no use to anybody.
    response.on('error', () => undefined)
    try {
      check(request, path)
      const handler = endpoints.get(key)
      if (!handler) throw unknownEndpoint(key, path)
      const body = request.method === 'POST' ? await abortable(readJson(request, hold), signal) : undefined
      const value = await handler({ body, signal, stream: () => streamOf(response) })
      if (value !== undefined) send(response, 200, value)
      else response.end()
    } catch (error) {
      if (!request.complete) readPast(request)
      fail(response, signal.aborted ? signal.reason : error)
    }
  }

  function check(request: IncomingMessage, path: string): void {
    if (path === '/health') return
    if (closing) throw new Refusal(503, 'the server is ending', { connection: 'close' })
    if (controllers.size > maxRequests) throw busy('the server has as many requests as it takes; try again')
    if (token !== undefined) checkToken(request.headers.authorization, token)
    else checkLocal(request)
  }

  async function readJson(request: IncomingMessage, hold: (bytes: number) => void): Promise<unknown> {
    const tooLarge = new Refusal(413, `a request may have at most ${maxBytes} bytes; send it in parts`)
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge
    if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') {
      throw new Refusal(415, 'a request must not be compressed')
    }
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > maxBytes) throw tooLarge
      hold(chunk.length)
      chunks.push(chunk)
    }
    const text = Buffer.concat(chunks).toString('utf8')
    return checked(() => {
      try {
        return JSON.parse(text) as unknown
      } catch {
        throw new Error(`a request must be JSON, got ${JSON.stringify(text.slice(0, 60))}`)
      }
    })
  }

  function send(response: ServerResponse, status: number, value: unknown, headers = {}): void {
    if (response.destroyed) return
    const isText = typeof value === 'string'
    const body = isText ? value : JSON.stringify(value)
    const type = isText ? 'text/plain; version=0.0.4; charset=utf-8' : 'application/json'
    response.writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      ...(closing && { connection: 'close' }),
      ...headers,
    })
    response.end(body)
  }

  function fail(response: ServerResponse, error: unknown): void {
    const { status, message, headers } =
      error instanceof Refusal ? error : new Refusal(502, error instanceof Error ? error.message : String(error))
    if (response.headersSent) response.destroy()
    else
      send(
        response,
        status,
        { error: { message, type: status < 500 ? 'invalid_request_error' : 'server_error' } },
        headers,
      )
  }

  const server = createServer({ requestTimeout: timeoutMs, headersTimeout: Math.min(timeoutMs, 60_000) }, (...pair) => {
    void answer(...pair)
  })
  // One that asks nothing needs no more memory than its socket.
  server.maxConnections = 4 * maxRequests
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE' ? new Error(`serve: port ${port} is in use; choose another, or 0 for any`) : error,
      ),
    )
    server.listen(port, host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    get inFlight() {
      return controllers.size
    },
    close(graceMs) {
      closing ??= new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          for (const controller of controllers) controller.abort(new Refusal(503, 'the server has ended'))
          setTimeout(() => server.closeAllConnections(), LINGER_MS / 10).unref()
        }, graceMs)
        server.close(() => {
          clearTimeout(timer)
          resolve()
        })
      })
      return closing
    },
  }
}

/** Reads what a client sends for nothing, so that it comes to reading the answer; but not for ever. */
function readPast(request: IncomingMessage): void {
  const timer = setTimeout(() => request.socket.destroy(), LINGER_MS)
  request.once('close', () => clearTimeout(timer))
  request.resume()
}

function streamOf(response: ServerResponse): EventStream {
  return {
    send(event) {
      if (!response.headersSent) {
        response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
      }
      if (!response.destroyed) response.write(`data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`)
    },
  }
}

function unknownEndpoint(key: string, path: string): Refusal {
  return new Refusal(404, `there is no ${key.slice(0, 100)}${path === '/retrieve' ? '; it takes POST' : ''}`)
}

function checkToken(given: string | undefined, token: string): void {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  // Of one length, so that the time tells nothing.
  if (timingSafeEqual(digest(given ?? ''), digest(`Bearer ${token}`))) return
  throw new Refusal(401, 'the request must carry the token of this server: `Authorization: Bearer …`', {
    'www-authenticate': 'Bearer',
  })
}

const LOCAL = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i

/** True for names and addresses that other machines cannot reach. */
export const isLocal = (host: string): boolean => host === '::1' || LOCAL.test(host)

/** Without a token, a page in this machine's browser could ask: by its origin, or under a name that leads here. */
function checkLocal({ headers: { host = '', origin } }: IncomingMessage): void {
  if (LOCAL.test(host) && origin === undefined) return
  throw new Refusal(403, 'without a token only programs of this machine are served, by the name 127.0.0.1 or localhost')
}
