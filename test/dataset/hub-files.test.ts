// Files of a hub's datasets, by name, out of a local stand-in. What a transfer does when it is cut is tested with models
// (test/model/download.test.ts): the code is the same.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { readDocuments } from '../../src/dataset/read-documents.js'
import { readQuestions, streamQuestions } from '../../src/dataset/read-questions.js'
import type { ReadQuestionsOptions } from '../../src/dataset/read-questions.js'
import { writeParquet } from '../../src/file/parquet.js'
import { COMMIT, serveHub, sha256 } from '../hub/hub-stand-in.js'
import type { HubStandIn } from '../hub/hub-stand-in.js'

const root = mkdtempSync(join(tmpdir(), 'hub-files-'))
afterAll(() => rmSync(root, { recursive: true }))

const rows = Array.from({ length: 50 }, (_, n) => ({
  id: `test_${n}`,
  question: `who is n${n}?`,
  golden_answers: [`Ada ${n}`],
}))
const jsonl = Buffer.from(rows.map((row) => JSON.stringify(row)).join('\n'))
await writeParquet(join(root, 'x.parquet'), rows, { id: 'text', question: 'text', golden_answers: 'texts' })
const parquet = readFileSync(join(root, 'x.parquet'))
const corpus = Buffer.from('{"id": "1", "contents": "\\"Peru\\"\\nIts capital is Lima."}\n')

let hub: HubStandIn
let cacheDir: string
let caches = 0

beforeEach(async () => {
  const files = new Map([
    ['README.md', Buffer.from('a card')],
    ['nq/test.jsonl', jsonl],
    ['nq/dev.jsonl', jsonl],
    ['test.parquet', parquet],
    ['corpus/wiki.jsonl', corpus],
  ])
  hub = await serveHub('dataset', files)
  cacheDir = join(root, `cache-${caches++}`)
})

const read = (path: string, options: ReadQuestionsOptions['download'] = {}) =>
  readQuestions(`owner/tiny/${path}`, {
    download: { cacheDir, hubUrl: hub.url, ...options },
    onReport: () => undefined,
  })

describe('a file of a dataset by name', () => {
  it('is downloaded alone, and the next time found without a request', async () => {
    const questions = await read('nq/test.jsonl')
    expect(questions).toHaveLength(50)
    // The set's name and split are those of its path, also in the cache.
    expect(questions[3]).toMatchObject({ id: 'nq-test_3', dataset: 'nq', split: 'test', domain: 'in-domain' })
    const place = join(cacheDir, 'datasets--owner--tiny', 'snapshots', COMMIT, 'nq')
    expect(readFileSync(join(place, 'test.jsonl')).equals(jsonl)).toBe(true)
    expect(existsSync(join(place, 'dev.jsonl'))).toBe(false)
    hub.requests.length = 0
    await hub.close()
    expect(await read('nq/test.jsonl')).toEqual(questions)
    const streamed = []
    const options = { download: { cacheDir, hubUrl: hub.url }, onReport: () => undefined }
    for await (const question of streamQuestions('owner/tiny/nq/test.jsonl', options)) streamed.push(question)
    expect(streamed).toEqual(questions)
    expect(hub.requests).toEqual([])
  })

  it('is Parquet too, which the hub keeps apart from git', async () => {
    const bytes: number[] = []
    const questions = await read('test.parquet', { onProgress: (progress) => bytes.push(progress.bytes) })
    expect(questions[0]).toMatchObject({ goldAnswers: ['Ada 0'] })
    expect(bytes.at(-1)).toBe(parquet.length)
    expect(statSync(join(cacheDir, 'datasets--owner--tiny', 'blobs', sha256(parquet))).size).toBe(parquet.length)
  })

  it('goes on where its transfer was cut', async () => {
    let cut = false
    hub.fault = ({ path }) => (path.endsWith('nq/test.jsonl') && !cut ? ((cut = true), { cutAfter: 1000 }) : {})
    expect(await read('nq/test.jsonl')).toHaveLength(50)
    expect(hub.requests.filter(({ path }) => path.endsWith('test.jsonl')).map(({ range }) => range)).toEqual([
      undefined,
      'bytes=1000-',
    ])
  })

  it('may be a corpus', async () => {
    const documents = await readDocuments('owner/tiny/corpus/wiki.jsonl', { download: { cacheDir, hubUrl: hub.url } })
    expect(documents).toEqual([{ id: '1', title: 'Peru', text: 'Its capital is Lima.' }])
  })

  it('is asked for with the token, which no error shows', async () => {
    await read('nq/test.jsonl', { token: 'hf_secret' })
    expect(new Set(hub.requests.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer hf_secret']))
    hub.fault = () => ({ status: 403 })
    const error: unknown = await read('nq/dev.jsonl', { token: 'hf_secret' }).catch((fault: unknown) => fault)
    expect((error as Error).message).toContain(
      `accept its terms at ${hub.url}/datasets/owner/tiny and give a token, or set HF_TOKEN`,
    )
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain('secret')
  })
})

describe('what is refused', () => {
  const refused = (path: string, rule: string, options = {}): Promise<void> =>
    expect(read(path, options)).rejects.toThrow(`read question set owner/tiny/${path}: ${rule}`)

  it('a path whose file is not here, also where the hub does not say whether it has such a name', async () => {
    hub.fault = () => ({ status: 401 })
    await refused(
      'nq/test.jsonl',
      `there is no such file here, and ${hub.url} refuses access to the dataset owner/tiny (status 401): there is none`,
    )
  })

  it('a file that is not there, with what is', async () => {
    await refused(
      'nq/tset.jsonl',
      'the dataset has no nq/tset.jsonl; its folder has owner/tiny/nq/test.jsonl, owner/tiny/nq/dev',
    )
    await refused('nowhere/test.jsonl', 'neither a file here nor a dataset, in this revision, at http://127.0.0.1')
  })

  it('a wrong checksum, of which nothing is kept', async () => {
    hub.fault = ({ path }) => (path.endsWith('test.parquet') ? { garble: true } : {})
    await expect(read('test.parquet')).rejects.toThrow(/tiny\/test.parquet: the checksum of .* is wrong/)
    hub.fault = () => ({})
    expect(await read('test.parquet')).toHaveLength(50)
  })

  it('a hub that is away, and options that are none', async () => {
    await hub.close()
    await refused(
      'nq/test.jsonl',
      `there is no such file here, so it was taken for the dataset owner/tiny of the hub; ${hub.url} cannot be reached or ` +
        'cut the transfer (ECONNREFUSED)',
    )
    await expect(read('nq/test.jsonl', { revison: 'x' } as object)).rejects.toThrow('read question set: download')
    await expect(read('nq/test.jsonl', { revision: '../x' })).rejects.toThrow(
      'revision must be a branch, tag or commit',
    )
  })

  it('a path whose first folder is here is no name', async () => {
    const before = process.cwd()
    mkdirSync(join(root, 'owner'))
    process.chdir(root)
    try {
      await expect(read('nq/test.jsonl')).rejects.toThrow(
        'owner/tiny/nq/test.jsonl: the file does not exist; check the path',
      )
    } finally {
      process.chdir(before)
    }
    expect(hub.requests).toEqual([])
  })
})
