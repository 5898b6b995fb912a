import { chmod, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { readJsonl, writeJsonl } from '../../src/schema/jsonl.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jsonl-'))
})
afterEach(() => rm(folder, { recursive: true }))

const numbered = z.object({ n: z.number(), tags: z.array(z.string()) })

describe('readJsonl', () => {
  test('returns what writeJsonl wrote', async () => {
    const path = join(folder, 'records.jsonl')
    await fc.assert(
      fc.asyncProperty(fc.array(fc.json().map((text): unknown => JSON.parse(text))), async (records) => {
        await writeJsonl(path, records)
        expect(await readJsonl(path, z.unknown())).toEqual(JSON.parse(JSON.stringify(records)))
      }),
      { numRuns: 30 },
    )
  })

  test('line separators within a text, a byte order mark, Windows line ends and empty lines do no harm', async () => {
    const path = join(folder, 'records.jsonl')
    await writeFile(path, '\uFEFF{"n":1,"tags":["a\u2028b"]}\r\n\r\n{"n":2,"tags":[]}')
    expect(await readJsonl(path, numbered)).toEqual([
      { n: 1, tags: ['a\u2028b'] },
      { n: 2, tags: [] },
    ])
  })

  test.each([
    ['{"n":1,"tags":[]}\n{"n":2}\n', 'line 2: column tags is missing; the columns are n'],
    ['{"n":"1","tags":[]}', 'line 1: column n: Invalid input: expected number, received string, got "1"'],
    ['{"n":1,"tags":["a",3]}', 'line 1: column tags.1: Invalid input: expected string, received number, got 3'],
    ['\n{"n":1,"ta', 'line 2: every line must be one whole JSON record, got {"n":1,"ta; is the file cut off?'],
    ['7', 'line 1: the record does not fit: Invalid input: expected object, received number'],
  ])('%j is refused with file, line, column and value', async (text, message) => {
    const path = join(folder, 'bad.jsonl')
    await writeFile(path, text)
    await expect(readJsonl(path, numbered, 'number list')).rejects.toThrow(`read number list ${path}, ${message}`)
  })

  test('a missing file is named', async () => {
    await expect(readJsonl(join(folder, 'no.jsonl'), numbered)).rejects.toThrow('no.jsonl: the file does not exist')
  })
})

describe('writeJsonl', () => {
  test.each([[{ loss: NaN }], [{ logprobs: [0, -Infinity] }], [undefined]])(
    '%j leaves the old file, and nothing else',
    async (bad) => {
      const path = join(folder, 'records.jsonl')
      await writeJsonl(path, [{ n: 1 }])
      await expect(writeJsonl(path, [{ n: 2 }, bad])).rejects.toThrow(
        /record 2.* must be .*; what was there before is untouched/,
      )
      expect(await readFile(path, 'utf8')).toBe('{"n":1}\n')
      expect(await readdir(folder)).toEqual(['records.jsonl'])
    },
  )

  test('records that fail midway, after much was written, leave the old file', async () => {
    const path = join(folder, 'records.jsonl')
    await writeJsonl(path, ['old'])
    function* records(): Generator<string> {
      for (let i = 0; i < 30; i++) yield 'x'.repeat(100_000)
      throw new Error('the source failed')
    }
    await expect(writeJsonl(path, records())).rejects.toThrow('the source failed')
    expect(await readFile(path, 'utf8')).toBe('"old"\n')
    expect(await readdir(folder)).toEqual(['records.jsonl'])
  })

  test('more than one chunk is written in order', async () => {
    const path = join(folder, 'records.jsonl')
    const records = Array.from({ length: 25 }, (_, i) => `${i} ${'é'.repeat(100_000)}`)
    await writeJsonl(path, records)
    expect(await readJsonl(path, z.string())).toEqual(records)
  })

  test('a missing folder is named with its remedy', async () => {
    const path = join(folder, 'no', 'records.jsonl')
    await expect(writeJsonl(path, [])).rejects.toThrow(`write ${path}: the folder does not exist; make it first`)
  })

  test.skipIf(process.getuid?.() === 0)('a folder that cannot be written to is an error', async () => {
    await chmod(folder, 0o500)
    await expect(writeJsonl(join(folder, 'records.jsonl'), [])).rejects.toThrow('permission denied')
    await chmod(folder, 0o700)
  })
})
