import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import type { Document } from '../../src/schema/document.js'
import { createBm25Engine, loadBm25 } from '../../src/search/bm25.js'
import type { SearchEngine } from '../../src/search/search-engine.js'

const root = mkdtempSync(join(tmpdir(), 'bm25-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let folders = 0
const newFolder = (): string => join(root, `index-${folders++}`)

const question = { id: 'x-0', dataset: 'x', question: '?', goldAnswers: ['!'] }
const find = (engine: SearchEngine, query: string, topK = 5): Promise<Document[]> =>
  engine.search(query, { question, topK })

const documents = [
  { id: 'a', title: 'Łódź', text: 'a city\nin Poland', metadata: { url: 'https://x/', views: 3 } },
  { text: 'another city 東京 \ud800 end' },
  { title: '', text: '' },
]

test('an index that was saved and loaded finds the same, with titles, ids and metadata', async () => {
  const made = await createBm25Engine(documents, { k1: 1.2, b: 0.4 })
  const folder = newFolder()
  await made.save(folder)
  const loaded = await loadBm25(folder)
  expect([made.documents, loaded.documents]).toEqual([3, 3])
  for (const query of ['city', 'łódź', '東京', 'poland city end', 'nothing', '']) {
    expect(await find(loaded, query)).toEqual(await find(made, query))
  }
  expect((await find(loaded, 'łódź'))[0]).toMatchObject({ ...documents[0], rank: 1 })
  // A loaded one can be saved, also in its own place, and goes on.
  const second = newFolder()
  await loaded.save(second)
  for (const name of readdirSync(folder))
    expect(readFileSync(join(second, name))).toEqual(readFileSync(join(folder, name)))
  await loaded.save(folder, { overwrite: true })
  expect(await find(loaded, 'city')).toEqual(await find(made, 'city'))
})

test('of any documents', async () => {
  const text = fc.string({ unit: 'binary', maxLength: 40 })
  const document = fc.record({ title: text, text }, { requiredKeys: ['text'] })
  await fc.assert(
    fc.asyncProperty(fc.array(document, { minLength: 1, maxLength: 20 }), async (corpus) => {
      const made = await createBm25Engine(corpus)
      const folder = newFolder()
      await made.save(folder)
      const loaded = await loadBm25(folder)
      for (const { text } of corpus) expect(await find(loaded, text, 30)).toEqual(await find(made, text, 30))
    }),
    { numRuns: 15 },
  )
})

test('searches side by side do not mix', async () => {
  const corpus = Array.from({ length: 300 }, (_, i) => ({ id: `${i}`, text: `common word${i % 7} unique${i}` }))
  const made = await createBm25Engine(corpus)
  const folder = newFolder()
  await made.save(folder)
  const loaded = await loadBm25(folder)
  const queries = corpus.map((_, i) => `unique${i} word${i % 7}`)
  const found = await Promise.all(queries.map((query) => find(loaded, query, 3)))
  const expected = await Promise.all(queries.map((query) => find(made, query, 3)))
  expect(found).toEqual(expected)
  expect(found.every(([first], i) => first!.id === `${i}`)).toBe(true)
})

test('a damaged one, another version and other folders are refused by name', async () => {
  const made = await createBm25Engine(documents)
  const damaged = async (damage: (folder: string) => void): Promise<string> => {
    const folder = newFolder()
    await made.save(folder)
    damage(folder)
    return loadBm25(folder)
      .then((engine) => find(engine, 'city'))
      .then(
        () => 'accepted',
        (error: unknown) => (error as Error).message,
      )
  }
  const flip =
    (name: string) =>
    (folder: string): void => {
      const bytes = readFileSync(join(folder, name))
      bytes[bytes.length >> 1]! ^= 1
      writeFileSync(join(folder, name), bytes)
    }
  for (const name of ['terms.txt', 'offsets.u32', 'documents.i32', 'scores.f32', 'places.f64', 'checks.u32']) {
    expect(await damaged(flip(name))).toMatch(`${name} is damaged: its checksum is another; save the index again`)
    expect(await damaged((folder) => truncateSync(join(folder, name), 3))).toMatch(/must have \d+ bytes, has 3/)
    expect(await damaged((folder) => rmSync(join(folder, name)))).toMatch(`${name} cannot be read`)
  }
  expect(await damaged(flip('documents.jsonl'))).toMatch(/document [01] of .* is damaged; save the index again/)
  expect(await damaged((folder) => truncateSync(join(folder, 'documents.jsonl'), 3))).toMatch(
    'has 3; save the index again',
  )
  const version = (folder: string): void => {
    const path = join(folder, 'bm25.json')
    writeFileSync(path, readFileSync(path, 'utf8').replace('"version": 1', '"version": 2'))
  }
  expect(await damaged(version)).toMatch('is of another version or damaged (version:')
  expect(await damaged((folder) => writeFileSync(join(folder, 'bm25.json'), '{'))).toMatch('must be JSON')
  await expect(loadBm25(root)).rejects.toThrow('holds no BM25 index (bm25.json)')
  await expect(loadBm25('')).rejects.toThrow('load bm25: folder')
  const folder = newFolder()
  await made.save(folder)
  await expect(made.save(folder)).rejects.toThrow('holds a BM25 index already; `overwrite: true` replaces it')
  await expect(made.save(folder, { overwite: true } as never)).rejects.toThrow('did you mean overwrite?')
})

test('a process that is killed while it saves leaves the index before it whole', async () => {
  const folder = newFolder()
  await (await createBm25Engine(documents)).save(folder)
  const script = `
    import { createBm25Engine } from ${JSON.stringify(join(import.meta.dirname, '../../src/search/bm25.ts'))}
    const corpus = Array.from({ length: 20000 }, (_, i) => ({ text: 'city ' + 'word'.repeat(50) + i }))
    const engine = await createBm25Engine(corpus)
    console.log('saving')
    for (;;) await engine.save(${JSON.stringify(folder)}, { overwrite: true })`
  for (let i = 0; i < 4; i++) {
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script])
    await new Promise((resolve) => child.stdout.once('data', resolve))
    await sleep(150 * i)
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('close', resolve))
    const loaded = await loadBm25(folder)
    expect([3, 20_000]).toContain(loaded.documents)
    expect((await find(loaded, 'city')).length).toBeGreaterThan(0)
  }
})
