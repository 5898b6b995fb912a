import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll } from 'vitest'

export const COMMIT = '0123456789abcdef0123456789abcdef01234567'

export interface HubRequest {
  path: string
  range?: string | undefined
  authorization?: string | undefined
}

/** What a test wants to go wrong with the answer to one request; empty: nothing. */
export interface Fault {
  status?: number
  /** Bytes of the body after which the connection breaks. */
  cutAfter?: number
  /** Sends other bytes than the file's. */
  garble?: boolean
  /** Answers as servers do that know no ranges. */
  noRanges?: boolean
  redirect?: string
}

export interface HubStandIn {
  url: string
  /** Files of the model by path. */
  files: Map<string, Buffer>
  requests: HubRequest[]
  /** Asked at each request; a test sets it. */
  fault: (request: HubRequest) => Fault
  close(): Promise<void>
}

/** A server on 127.0.0.1 that answers like the hub, with one model, `owner/tiny`. */
export function startHub(folder: string): Promise<HubStandIn> {
  const names = readdirSync(folder).filter((name) => name !== 'golden.json')
  return serveHub('model', new Map(names.map((name) => [name, readFileSync(join(folder, name))])))
}

/** The same with files of one model or dataset, `owner/tiny`. */
export async function serveHub(kind: 'model' | 'dataset', files: Map<string, Buffer>): Promise<HubStandIn> {
  const server = createServer((request, response) => answer(hub, kind, request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const hub: HubStandIn = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    files,
    requests: [],
    fault: () => ({}),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  afterAll(() => hub.close())
  return hub
}

function answer(hub: HubStandIn, kind: 'model' | 'dataset', incoming: IncomingMessage, response: ServerResponse): void {
  const path = incoming.url!.split('?')[0]!
  const { range, authorization } = incoming.headers
  const request = { path, range, authorization }
  hub.requests.push(request)
  const fault = hub.fault(request)
  if (fault.redirect) return void response.writeHead(302, { location: fault.redirect }).end()
  if (fault.status) {
    const body = JSON.stringify({ error: 'refused' })
    return void response.writeHead(fault.status, { 'content-type': 'application/json' }).end(body)
  }
  const json = (value: unknown): void =>
    void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
  if (path === `/api/${kind}s/owner/tiny/revision/main`) {
    return json({ _id: '1', id: 'owner/tiny', sha: COMMIT, lastModified: '2026-01-01T00:00:00.000Z' })
  }
  const [, folder] = new RegExp(`^/api/${kind}s/owner/tiny/tree/${COMMIT}(?:/(.*))?$`).exec(path) ?? []
  if (folder !== undefined || path === `/api/${kind}s/owner/tiny/tree/${COMMIT}`) {
    const inside = [...hub.files].filter(([name]) => folder === undefined || name.startsWith(`${folder}/`))
    if (inside.length === 0) return void response.writeHead(404).end()
    return json(inside.map(([name, bytes]) => entry(name, bytes)))
  }
  const name = decodeURIComponent(
    path.replace(`${kind === 'model' ? '' : '/datasets'}/owner/tiny/resolve/${COMMIT}/`, ''),
  )
  const bytes = hub.files.get(name)
  if (!bytes) return void response.writeHead(404).end()
  sendFile(fault.garble ? Buffer.alloc(bytes.length, 7) : bytes, range, fault, response)
}

function entry(path: string, bytes: Buffer): object {
  if (path.endsWith('/')) return { type: 'directory', path: path.slice(0, -1), oid: '0'.repeat(40), size: 0 }
  const pointer = { type: 'file', path, size: bytes.length }
  // The hub keeps weights apart from git.
  return /\.(safetensors|bin|gguf|parquet)$/.test(path)
    ? { ...pointer, oid: 'f'.repeat(40), lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 134 } }
    : { ...pointer, oid: createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex') }
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

function sendFile(bytes: Buffer, range: string | undefined, fault: Fault, response: ServerResponse): void {
  const from = fault.noRanges ? 0 : Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0)
  const body = bytes.subarray(from)
  response.writeHead(from > 0 ? 206 : 200, {
    'content-length': body.length,
    ...(from > 0 ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}),
  })
  if (fault.cutAfter === undefined) return void response.end(body)
  // Let what was sent arrive, then break the connection.
  response.write(body.subarray(0, fault.cutAfter), () => setTimeout(() => response.destroy(), 50))
}
