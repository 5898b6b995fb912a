import {
  existsSync,
  readFileSync,
  readlinkSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { loadModel } from '../../src/language-model/local-model.js'
import { readCheckpoint } from '../../src/model/checkpoint.js'
import { resolveModel } from '../../src/model/download.js'
import type { ResolveModelOptions } from '../../src/model/download.js'
import type { DownloadProgress } from '../../src/hub/hub-download.js'
import { checkpointFolder, temporaryFolder } from './fixtures.js'
import { COMMIT, sha256, startHub } from '../hub/hub-stand-in.js'
import type { Fault, HubRequest, HubStandIn } from '../hub/hub-stand-in.js'

const WEIGHTS = 'model.safetensors'
const root = temporaryFolder()
let hub: HubStandIn
let cacheDir: string
let caches = 0

beforeAll(async () => {
  hub = await startHub(checkpointFolder('qwen2'))
})

beforeEach(async () => {
  await hub.close()
  hub = await startHub(checkpointFolder('qwen2'))
  cacheDir = join(root, `cache-${caches++}`)
})

const resolve = (options: ResolveModelOptions = {}): Promise<string> =>
  resolveModel('owner/tiny', { cacheDir, hubUrl: hub.url, ...options })

/** Faults for requests of one file, in order; later requests have none. */
const failing = (file: string, ...faults: Fault[]): void => {
  hub.fault = ({ path }) => (path.endsWith(`/${file}`) ? (faults.shift() ?? {}) : {})
}

const requestsOf = (file: string): HubRequest[] => hub.requests.filter(({ path }) => path.endsWith(`/${file}`))
const weights = (): Buffer => hub.files.get(WEIGHTS)!
const blob = (name: string): string => join(cacheDir, 'models--owner--tiny', 'blobs', name)

it('options are checked, also where the model is there already', async () => {
  const folder = checkpointFolder('qwen2')
  const refused = (options: object, rule: string): Promise<void> =>
    expect(resolveModel(folder, options)).rejects.toThrow(`resolve model: ${rule}`)
  await refused({ cacheDir: 5 }, 'cacheDir must be a text, got 5')
  await refused({ hubUrl: 'hub' }, 'hubUrl must ')
  await refused({ revison: 'main' }, 'there is no option revison; did you mean revision?')
  await refused({ onProgress: true }, 'onProgress must be a function')
  await expect(resolveModel(NaN as unknown as string)).rejects.toThrow('resolve model: model must be a text, got NaN')
})

describe('a model by name', () => {
  it('is downloaded whole, and the next time found without a request', async () => {
    const shown: DownloadProgress[] = []
    const folder = await resolve({ onProgress: (progress) => shown.push(progress) })
    for (const [name, bytes] of hub.files) expect(readFileSync(join(folder, name)).equals(bytes), name).toBe(true)
    expect((await readCheckpoint(folder)).config.family).toBe('qwen2')
    const total = [...hub.files.values()].reduce((sum, { length }) => sum + length, 0)
    expect(shown.at(-1)).toMatchObject({ bytes: total, totalBytes: total })
    expect(shown.map(({ bytes }) => bytes)).toEqual(shown.map(({ bytes }) => bytes).sort((a, b) => a - b))
    hub.requests.length = 0
    expect(await resolve()).toBe(folder)
    expect(await resolve({ revision: COMMIT })).toBe(folder)
    expect(hub.requests).toEqual([])
  })

  it('lies in the cache as Python’s libraries expect it', async () => {
    const folder = await resolve()
    expect(folder).toBe(join(cacheDir, 'models--owner--tiny', 'snapshots', COMMIT))
    expect(readFileSync(join(cacheDir, 'models--owner--tiny', 'refs', 'main'), 'utf8')).toBe(COMMIT)
    expect(readlinkSync(join(folder, WEIGHTS))).toBe(join('..', '..', 'blobs', sha256(weights())))
  })

  it('comes without what is not read', async () => {
    const kept = [...hub.files.keys()]
    for (const name of ['README.md', 'pytorch_model.bin', 'consolidated.safetensors', 'model.fp16.safetensors'])
      hub.files.set(name, Buffer.from('x'))
    hub.files.set('onnx/', Buffer.alloc(0))
    hub.files.set('../evil.json', Buffer.from('{}'))
    hub.files.set('.hidden.json', Buffer.from('{}'))
    expect(readdirSync(await resolve()).sort()).toEqual(kept.sort())
  })

  it('comes with its shards', async () => {
    await hub.close()
    hub = await startHub(checkpointFolder('qwen2-sharded'))
    const folder = await resolve()
    expect(readdirSync(folder).filter((name) => name.endsWith('.safetensors'))).toHaveLength(3)
    for await (const { data, shape } of (await readCheckpoint(folder)).tensors()) {
      expect(data).toHaveLength(shape.reduce((a, b) => a * b, 1))
    }
  })
})

describe('a GGUF file of a model', () => {
  const GGUF = 'tiny.Q5_1.gguf'
  const bytes = readFileSync(join(import.meta.dirname, '../parity/fixtures/gguf/qwen2.gguf'))
  const ofFile = (path: string): Promise<string> => resolveModel(`owner/tiny/${path}`, { cacheDir, hubUrl: hub.url })
  /** As those repositories are that hold GGUF files and nothing else. */
  const onlyGguf = (...names: string[]): void => {
    hub.files.clear()
    for (const name of ['README.md', ...names]) hub.files.set(name, bytes)
  }

  it('is downloaded alone, and the next time found without a request', async () => {
    hub.files.set(GGUF, bytes)
    hub.files.set('tiny.Q8_0.gguf', bytes)
    const file = await ofFile(GGUF)
    expect(file).toBe(join(cacheDir, 'models--owner--tiny', 'snapshots', COMMIT, GGUF))
    expect(readFileSync(file).equals(bytes)).toBe(true)
    expect(readdirSync(join(file, '..'))).toEqual([GGUF])
    hub.requests.length = 0
    expect(await ofFile(GGUF)).toBe(file)
    expect(hub.requests).toEqual([])
    // The same commit's folder is not taken for complete.
    expect(await resolve()).toBe(join(file, '..'))
    expect(requestsOf(WEIGHTS)).toHaveLength(1)
  })

  it('loads by its name', async () => {
    onlyGguf(GGUF)
    const model = await loadModel(`owner/tiny/${GGUF}`, { slots: 1, download: { cacheDir, hubUrl: hub.url } })
    expect([model.name, model.config.family]).toEqual([GGUF, 'qwen2'])
    model.dispose()
  })

  it('may lie in a folder of it', async () => {
    onlyGguf(`Q5 1/x.gguf`, `Q5_1/${GGUF}`)
    const file = await ofFile(`Q5_1/${GGUF}`)
    expect(readFileSync(file).equals(bytes)).toBe(true)
    await expect(ofFile('other/x.gguf')).rejects.toThrow('neither a folder here nor a model')
  })

  it('goes on where its transfer was cut', async () => {
    onlyGguf(GGUF)
    failing(GGUF, { cutAfter: 10_000 })
    expect(readFileSync(await ofFile(GGUF)).equals(bytes)).toBe(true)
    expect(requestsOf(GGUF).map(({ range }) => range)).toEqual([undefined, 'bytes=10000-'])
  })

  it('is named, with how to ask for it, where there is nothing else', async () => {
    onlyGguf(GGUF, 'tiny.Q8_0.gguf', 'large-00001-of-00002.gguf', 'large-00002-of-00002.gguf')
    await expect(resolve()).rejects.toThrow(
      'resolve model owner/tiny: the model has no tokenizer.json, but it has GGUF files: tiny.Q5_1.gguf (0.0 MB), ' +
        "tiny.Q8_0.gguf (0.0 MB); name one of them, as 'owner/tiny/tiny.Q5_1.gguf'",
    )
    await expect(ofFile('tiny.Q4_0.gguf')).rejects.toThrow(
      `resolve model owner/tiny/tiny.Q4_0.gguf: the model has no tiny.Q4_0.gguf, but it has GGUF files: ${GGUF} (`,
    )
    hub.requests.length = 0
    await expect(ofFile('large-00001-of-00002.gguf')).rejects.toThrow('only a GGUF in one piece is read')
    expect(hub.requests).toEqual([])
  })

  it('is named too where texts are there, and weights are not', async () => {
    hub.files.delete(WEIGHTS)
    hub.files.set(GGUF, bytes)
    await expect(resolve()).rejects.toThrow('the model has no model.safetensors, but it has GGUF files: tiny.Q5_1')
  })
})

describe('a cut transfer', () => {
  it('goes on in the same call', async () => {
    failing(WEIGHTS, { cutAfter: 50_000 }, { cutAfter: 30_000 })
    const folder = await resolve()
    expect(requestsOf(WEIGHTS).map(({ range }) => range)).toEqual([undefined, 'bytes=50000-', 'bytes=80000-'])
    expect(readFileSync(join(folder, WEIGHTS)).equals(weights())).toBe(true)
  })

  it('goes on in a later call', async () => {
    hub.fault = ({ path, range }) => (path.endsWith(WEIGHTS) ? (range ? { cutAfter: 0 } : { cutAfter: 50_000 }) : {})
    await expect(resolve()).rejects.toThrow(/cannot be reached or cut the transfer .*what has arrived is kept/)
    expect(statSync(blob(`${sha256(weights())}.incomplete`)).size).toBe(50_000)
    hub.fault = () => ({})
    hub.requests.length = 0
    const first: number[] = []
    const folder = await resolve({ onProgress: ({ bytes }) => first.push(bytes) })
    expect(requestsOf(WEIGHTS)).toMatchObject([{ range: 'bytes=50000-' }])
    expect(requestsOf('config.json')).toEqual([])
    expect(readFileSync(join(folder, WEIGHTS)).equals(weights())).toBe(true)
    expect(first.at(0)).toBeGreaterThan(0)
  })

  it('starts again at a server without ranges', async () => {
    failing(WEIGHTS, { cutAfter: 50_000 }, { noRanges: true })
    const folder = await resolve()
    expect(readFileSync(join(folder, WEIGHTS)).equals(weights())).toBe(true)
  })

  it('is tried again when the server is busy', async () => {
    failing('tokenizer.json', { status: 503 }, { status: 429 })
    await resolve()
    expect(requestsOf('tokenizer.json')).toHaveLength(3)
  })

  it('whose first part is damaged is fetched anew', async () => {
    mkdirSync(blob('.'), { recursive: true })
    writeFileSync(blob(`${sha256(weights())}.incomplete`), Buffer.alloc(40_000, 1))
    const folder = await resolve()
    expect(requestsOf(WEIGHTS).map(({ range }) => range)).toEqual(['bytes=40000-', undefined])
    expect(readFileSync(join(folder, WEIGHTS)).equals(weights())).toBe(true)
  })

  it('stops at a signal and keeps what has arrived', async () => {
    const stop = new AbortController()
    hub.fault = ({ path, range }) => {
      if (range) stop.abort()
      return path.endsWith(WEIGHTS) && !range ? { cutAfter: 60_000 } : {}
    }
    const running = resolve({ signal: stop.signal })
    await expect(running).rejects.toMatchObject({ name: 'AbortError' })
    expect(statSync(blob(`${sha256(weights())}.incomplete`)).size).toBe(60_000)
    expect(readFileSync(join(await resolve(), WEIGHTS)).equals(weights())).toBe(true)
  })
})

describe('a download that fails', () => {
  it('says that a checksum is wrong, and keeps nothing of it', async () => {
    failing(WEIGHTS, { garble: true })
    await expect(resolve()).rejects.toThrow(/resolve model owner\/tiny: the checksum of .*model.safetensors is wrong/)
    expect(readdirSync(blob('.')).filter((name) => name.startsWith(sha256(weights())))).toEqual([])
    expect(readFileSync(join(await resolve(), WEIGHTS)).equals(weights())).toBe(true)
  })

  it('checks small files too', async () => {
    failing('tokenizer.json', { garble: true })
    await expect(resolve()).rejects.toThrow(/the checksum of .*tokenizer.json is wrong/)
  })

  it.each([
    [404, 'neither a folder here nor a model, in this revision, at'],
    [401, 'there is none, or it is private or gated'],
    [500, 'answered with status 500; try again later'],
  ])('says what status %i means', async (status, message) => {
    hub.fault = () => ({ status })
    await expect(resolve()).rejects.toThrow(message)
    expect(existsSync(cacheDir)).toBe(false)
  })

  it('says that a gated model refuses its files', async () => {
    failing('config.json', { status: 403 })
    await expect(resolve()).rejects.toThrow(/accept its terms at http.*owner\/tiny and give a token/)
  })

  it('says that the hub cannot be reached', async () => {
    await hub.close()
    await expect(resolve()).rejects.toThrow(/cannot be reached .*ECONNREFUSED/)
  })

  it('refuses an unsupported model before its weights are fetched', async () => {
    hub.files.set('config.json', Buffer.from(JSON.stringify({ model_type: 'gpt2' })))
    await expect(resolve()).rejects.toThrow(/resolve model owner\/tiny: model config/)
    expect(requestsOf(WEIGHTS)).toEqual([])
  })

  it('says which file a model lacks', async () => {
    hub.files.delete(WEIGHTS)
    await expect(resolve()).rejects.toThrow('the model has no model.safetensors; only weights in safetensors are read')
    hub.files.delete('tokenizer.json')
    await expect(resolve()).rejects.toThrow('the model has no tokenizer.json')
  })

  // Writing to /dev/full fails as on a full disk.
  it.skipIf(!existsSync('/dev/full'))('says that the disk is full', async () => {
    mkdirSync(blob('.'), { recursive: true })
    symlinkSync('/dev/full', blob(`${sha256(weights())}.incomplete`))
    await expect(resolve()).rejects.toThrow(/resolve model owner\/tiny: cannot write .*: no space left on the disk/)
    expect(existsSync(blob(sha256(weights())))).toBe(false)
  })

  it('says before the first byte that the disk is too small', async () => {
    const listing = hub.files.get(WEIGHTS)!
    // The listing claims a size that no disk has.
    Object.defineProperty(listing, 'length', { value: 1e18 })
    await expect(resolve()).rejects.toThrow(/\d{13} MB are to be written to .* MB are free/)
    expect(requestsOf(WEIGHTS)).toEqual([])
  })
})

describe('a token', () => {
  const token = 'hf_secretsecretsecret'

  it('goes to the hub, and to no host that it redirects to', async () => {
    const elsewhere = await startHub(checkpointFolder('qwen2'))
    hub.fault = ({ path }) => (path.endsWith(WEIGHTS) ? { redirect: `${elsewhere.url}${path}` } : {})
    await resolve({ token })
    expect(new Set(hub.requests.map(({ authorization }) => authorization))).toEqual(new Set([`Bearer ${token}`]))
    expect(elsewhere.requests.map(({ authorization }) => authorization)).toEqual([undefined])
  })

  it.each<Fault>([{ status: 401 }, { status: 404 }, { status: 500 }, { cutAfter: 0 }, { garble: true }])(
    'is in no error: %o',
    async (fault) => {
      hub.fault = ({ path }) => (path.includes('/api/') && fault.status === undefined ? {} : fault)
      const error: unknown = await resolve({ token }).catch((error: unknown) => error)
      expect(error).toBeInstanceOf(Error)
      expect(inspect(error, { depth: 20, showHidden: true })).not.toContain('secret')
    },
  )

  it('comes from HF_TOKEN where none is given, and is as secret', async () => {
    vi.stubEnv('HF_TOKEN', `${token}\n`)
    try {
      const elsewhere = await startHub(checkpointFolder('qwen2'))
      hub.fault = ({ path }) => (path.endsWith(WEIGHTS) ? { redirect: `${elsewhere.url}${path}` } : {})
      await resolve()
      expect(new Set(hub.requests.map(({ authorization }) => authorization))).toEqual(new Set([`Bearer ${token}`]))
      expect(elsewhere.requests.map(({ authorization }) => authorization)).toEqual([undefined])
      for (const name of readdirSync(cacheDir, { recursive: true, encoding: 'utf8' }))
        if (statSync(join(cacheDir, name)).isFile())
          expect(readFileSync(join(cacheDir, name), 'latin1')).not.toContain('secret')
      hub.fault = () => ({ status: 401 })
      const error: unknown = await resolve({ revision: 'other' }).catch((error: unknown) => error)
      expect((error as Error).message).toContain('there is no such folder here')
      expect(inspect(error, { depth: 20, showHidden: true })).not.toContain('secret')
      hub.fault = () => ({})
      hub.requests.length = 0
      vi.stubEnv('HF_TOKEN', '')
      await resolve({ cacheDir: join(cacheDir, 'other') })
      expect(new Set(hub.requests.map(({ authorization }) => authorization))).toEqual(new Set([undefined]))
    } finally {
      vi.unstubAllEnvs()
    }
  })

  it('that holds other characters is refused without showing it', async () => {
    const error: unknown = await resolve({ token: `${token}\n` }).catch((error: unknown) => error)
    expect((error as Error).message).toContain('the token (or HF_TOKEN) must be one word')
    expect(inspect(error, { depth: 20 })).not.toContain('secret')
  })
})

describe('a folder', () => {
  it('is taken as it is', async () => {
    expect(await resolveModel(checkpointFolder('qwen3'))).toBe(checkpointFolder('qwen3'))
  })

  it('that is none is named', async () => {
    await expect(resolveModel('./nowhere')).rejects.toThrow('there is no folder ./nowhere')
    await expect(resolveModel('../up/and/away')).rejects.toThrow('there is no folder')
    await expect(resolveModel(join(checkpointFolder('qwen2'), 'config.json'))).rejects.toThrow('is a file')
    await expect(resolve({ revision: '../../x' })).rejects.toThrow('revision must be')
  })
})
