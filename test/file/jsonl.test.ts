import { chmod, lstat, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { readJsonl, streamJsonl, writeJsonl } from '../../src/file/jsonl.js'
import { readLines } from '../../src/file/read-lines.js'

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

describe('streamJsonl', () => {
  test('gives the records one after the other, and may be left', async () => {
    const path = join(folder, 'records.jsonl')
    const records = Array.from({ length: 30 }, (_, i) => `${i} ${'é'.repeat(100_000)}`)
    await writeJsonl(path, records)
    const read: string[] = []
    for await (const record of streamJsonl(path, z.string())) read.push(record)
    expect(read).toEqual(records)
    for await (const record of streamJsonl(path, z.string())) {
      expect(record).toBe(records[0])
      break
    }
  })

  test('a fault far into the file has the number of its line', async () => {
    const path = join(folder, 'records.jsonl')
    await writeFile(path, `${`"${'x'.repeat(1000)}"\n`.repeat(5000)}7\n`)
    await expect(readJsonl(path, z.string())).rejects.toThrow('line 5001: the record does not fit')
  })
})

describe('readLines', () => {
  test('lines are whole for any size of the blocks, with characters of several bytes across their borders', async () => {
    const path = join(folder, 'lines.txt')
    const line = fc.string({ unit: fc.constantFrom('a', 'é', '€', '🙂', '\r', '\u2028'), maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { minLength: 1 }),
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        async (lines, chunk, ended) => {
          const text = lines.join('\n') + (ended ? '\n' : '')
          await writeFile(path, text)
          const read: string[] = []
          for await (const block of readLines(path, 'text', chunk)) {
            expect(block.first).toBe(read.length + 1)
            read.push(...block.lines)
          }
          expect(read).toEqual(ended || lines.at(-1) !== '' ? lines : lines.slice(0, -1))
        },
      ),
    )
  })

  test('bytes that are not UTF-8 are told with their line and a remedy', async () => {
    const path = join(folder, 'latin.jsonl')
    await writeFile(path, Buffer.from('{"n":1}\n\n{"n":"caf\xe9"}\n{"n":2}\n', 'latin1'))
    await expect(readJsonl(path, z.unknown(), 'question set')).rejects.toThrow(
      `read question set ${path}, line 3: the bytes are not UTF-8; save the file as UTF-8`,
    )
    // A character that the file's end cuts.
    await writeFile(path, Buffer.from('"a"\n"é').subarray(0, -1))
    await expect(readJsonl(path, z.unknown())).rejects.toThrow('line 2: the bytes are not UTF-8')
  })

  test.each([
    ['with its mark', Buffer.from('\uFEFF{"n":1}\n', 'utf16le')],
    ['with its mark, the other way round', Buffer.from('\uFEFF{"n":1}\n', 'utf16le').swap16()],
    ['without', Buffer.from('{"n":1}\n', 'utf16le')],
  ])('UTF-16 is told %s', async (_, bytes) => {
    const path = join(folder, 'wide.jsonl')
    await writeFile(path, bytes)
    await expect(readJsonl(path, z.unknown())).rejects.toThrow(`${path}: the file is UTF-16; save it as UTF-8`)
  })
})

describe('a file written whole', () => {
  test('keeps a link and its mode, takes what an async source gives, and clears what a killed process left', async () => {
    const path = join(folder, 'records.jsonl')
    const link = join(folder, 'link.jsonl')
    await writeFile(path, 'old')
    await chmod(path, 0o600)
    await symlink('records.jsonl', link)
    await writeFile(join(folder, `.records.jsonl.${hostname()}.4194305.0.partial`), 'half')
    const others = `.records.jsonl.${hostname()}.${process.ppid}.0.partial`
    await writeFile(join(folder, others), 'of a running process')
    async function* records(): AsyncGenerator<number> {
      for (const n of [1, 2]) yield await Promise.resolve(n)
    }
    await writeJsonl(link, records())
    expect(await readFile(path, 'utf8')).toBe('1\n2\n')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await lstat(link)).isSymbolicLink()).toBe(true)
    expect((await readdir(folder)).sort()).toEqual([others, 'link.jsonl', 'records.jsonl'])
  })

  test('two writers at once: one of them is there whole', async () => {
    const path = join(folder, 'records.jsonl')
    const writers = [1, 2, 3].map((n) => writeJsonl(path, Array<string>(500).fill(`${n}`.repeat(1000))))
    await Promise.all(writers)
    expect(new Set(await readJsonl(path, z.string())).size).toBe(1)
    expect(await readdir(folder)).toEqual(['records.jsonl'])
  })
})
