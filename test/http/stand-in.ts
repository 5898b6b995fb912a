import { createServer } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { afterAll } from 'vitest'

export interface Received {
  method: string
  path: string
  /** What follows the question mark. */
  query: URLSearchParams
  headers: IncomingHttpHeaders
  /** Parsed, where it is JSON. */
  body: unknown
}

/** What a server answers: a value as JSON, or what the test writes itself. */
export type Answer = (received: Received, response: ServerResponse) => unknown

export interface StandIn {
  /** Without a slash at the end. */
  url: string
  received: Received[]
  /** How many are being answered now, and the most that were at once. */
  inFlight: number
  mostInFlight: number
  /** Asked for each request; a test sets it. What it returns is sent as JSON; undefined where it has answered itself. */
  answer: Answer
  /** Breaks all connections and refuses further ones. */
  stop(): Promise<void>
  /** The same port again. */
  start(): Promise<void>
}

/** A server on 127.0.0.1 that a test scripts. It ends with the tests of the file. */
export async function startServer(answer: Answer): Promise<StandIn> {
  const sockets = new Set<Socket>()
  const server = createServer((request, response) => void handle(standIn, request, response))
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  let port = 0
  const standIn: StandIn = {
    url: '',
    received: [],
    inFlight: 0,
    mostInFlight: 0,
    answer,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
    start: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, '127.0.0.1', () => {
          port = (server.address() as AddressInfo).port
          standIn.url = `http://127.0.0.1:${port}`
          resolve()
        })
      }),
  }
  await standIn.start()
  afterAll(() => standIn.stop())
  return standIn
}

async function handle(standIn: StandIn, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  } catch {
    return // The client has gone.
  }
  const { pathname, searchParams } = new URL(request.url!, 'http://localhost')
  const text = Buffer.concat(chunks).toString()
  const received: Received = {
    method: request.method!,
    path: pathname,
    query: searchParams,
    headers: request.headers,
    body: text.startsWith('{') ? JSON.parse(text) : text,
  }
  standIn.received.push(received)
  standIn.mostInFlight = Math.max(standIn.mostInFlight, ++standIn.inFlight)
  response.once('close', () => standIn.inFlight--)
  const value = await standIn.answer(received, response)
  if (value !== undefined) sendJson(response, 200, value)
}

export function sendJson(response: ServerResponse, status: number, value: unknown, headers: object = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value))
}
