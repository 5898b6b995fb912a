import { afterEach, expect, it, vi } from 'vitest'
import fc from 'fast-check'
import { readFile, stat } from 'node:fs/promises'
import { delimiterOf } from '../../src/file/delimited.js'
import type { FileRecord } from '../../src/file/file-record.js'
import { writeParquet } from '../../src/file/parquet.js'
import { openRecords } from '../../src/file/read-records.js'
import { jsonl, writeFixture } from '../dataset/write-fixture.js'

async function all(records: AsyncIterable<FileRecord>): Promise<FileRecord[]> {
  const list: FileRecord[] = []
  for await (const record of records) list.push(record)
  return list
}

async function read(name: string, content: string | Uint8Array): Promise<{ format: string; records: FileRecord[] }> {
  const path = await writeFixture(name, content)
  const { format, records } = await openRecords(path, 'set')
  return { format, records: await all(records) }
}

const values = ({ records }: { records: FileRecord[] }): unknown[] => records.map(({ value }) => value)

afterEach(() => {
  vi.restoreAllMocks()
})

const rows = [
  { a: 'x, "y"\n[{]}', b: 1 },
  { a: 'é\\', b: null },
]

it('the content says the format, whatever the name', async () => {
  expect(await read('x.csv', jsonl(...rows))).toMatchObject({ format: 'JSONL' })
  expect(await read('x.txt', JSON.stringify(rows))).toMatchObject({ format: 'JSON' })
  expect(await read('x.json', 'a\tb\n1\t2\n')).toMatchObject({ format: 'TSV', records: [{ place: 'line 2' }] })
  expect(await read('x', 'a,b\n1,2\n')).toMatchObject({ format: 'CSV' })
})

it.each([
  ['one list', JSON.stringify(rows)],
  ['one list over many lines, with a mark in front', `\uFEFF${JSON.stringify(rows, null, 2)}\n`],
  ['an object that holds the list', JSON.stringify({ data: rows })],
  ['an object laid out over lines', JSON.stringify({ version: { x: 1 }, Data: rows, more: [1] }, null, 2)],
  ['lines', jsonl(...rows)],
  ['lines of Windows, with a mark in front and an empty one', `\uFEFF${jsonl(...rows).replace('\n', '\r\n\r\n')}\r\n`],
])('JSON as %s', async (_, content) => {
  expect(values(await read('x', content))).toEqual(rows)
})

it('any JSON list comes as it was written', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.dictionary(fc.string(), fc.jsonValue())),
      fc.constantFrom(0, 2),
      async (list, indent) => {
        const found = await read('any.json', JSON.stringify(list, null, indent))
        expect(JSON.stringify(values(found))).toBe(JSON.stringify(list))
      },
    ),
    { numRuns: 60 },
  )
})

it('a list longer than what is read at a time comes whole', async () => {
  const long = Array.from({ length: 40 }, (_, i) => ({ i, text: `é"\\${'x]'.repeat(50_000)}` }))
  expect(values(await read('long.json', JSON.stringify(long)))).toEqual(long)
})

it('broken records are named, and those around them read', async () => {
  expect((await read('x.json', '[{"a": 1}, {"a": }, {"a": 3}]')).records).toEqual([
    { place: 'record 1', value: { a: 1 } },
    { place: 'record 2', fault: 'a record must be JSON, got {"a": }' },
    { place: 'record 3', value: { a: 3 } },
  ])
  expect((await read('x.json', '[{"a": 1}, {"a": [2')).records.at(-1)).toEqual({
    place: 'record 2',
    fault: 'the file ends in it; is it cut off?',
  })
  for (const more of ['[{"a": 3}]', '{"a": 3}', '"x"', 'null'])
    expect((await read('x.json', `[{"a": 1}]\n${more}`)).records).toEqual([
      { place: 'record 1', value: { a: 1 } },
      {
        place: 'behind the list',
        fault: 'the file goes on, which is not read; is it JSON lines, or several lists?',
      },
    ])
  expect((await read('x.json', '{"Data": [{"a": 1}], "Version": [1, "}"]} \n')).records).toHaveLength(1)
  expect((await read('x.jsonl', '{"a": 1}\n{"a": \n{"a": 3}')).records).toMatchObject([
    { value: { a: 1 } },
    { place: 'line 2', fault: 'every line must be one whole JSON record, got {"a": ; is the file cut off?' },
    { place: 'line 3', value: { a: 3 } },
  ])
  const { records } = await read('x.csv', 'a,b\n1,2\n1,2,3\n4,5\n')
  expect(records).toMatchObject([
    { place: 'line 2', value: { a: '1', b: '2' } },
    { place: 'line 3', fault: 'has 3 cells, the header has 2; is a comma not quoted?' },
    { place: 'line 4', value: { a: '4', b: '5' } },
  ])
  expect((await read('x.json', '{\n"a": 1}')).records).toEqual([
    { place: 'the file', fault: 'there is no list of records in it' },
  ])
})

it('cells keep quotes, newlines, and what looks like a number', async () => {
  const content = '\uFEFFa;b\r\n"x;\r\n""y""";007\r\nsay "z";\r\n\r\n'
  expect(await read('x.csv', content)).toEqual({
    format: 'CSV',
    records: [
      { place: 'line 2', value: { a: 'x;\r\n"y"', b: '007' } },
      { place: 'line 4', value: { a: 'say "z"', b: '' } },
    ],
  })
  expect(delimiterOf('"a,b,c";d')).toBe(';')
  expect(delimiterOf('a')).toBeUndefined()
})

it('a quote that is never closed is told', async () => {
  const { records } = await read('x.csv', `a,b\n1,2\n3,"4\n${'5,6\n'.repeat(10)}`)
  expect(records[0]).toMatchObject({ value: { a: '1' } })
  expect(records.at(-1)!.place).toBe('line 3')
  expect(records.at(-1)!.fault).toContain('a quote is opened and never closed')
})

it.each<[string, string | Uint8Array, string]>([
  ['is empty', '', 'the file is empty'],
  [
    'is a page',
    '<html>a, b, c</html>',
    'must be JSONL, JSON, CSV, TSV or Parquet, got a file that begins with <html>a',
  ],
  ['is prose', 'hello there\n', 'must be JSONL, JSON, CSV, TSV or Parquet'],
  ['is gzipped', Buffer.from([0x1f, 0x8b, 8, 0]), 'the file is compressed (gzip); unpack it first'],
  ['is a pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:1\n', 'only a pointer of Git LFS'],
  ['is UTF-16', Buffer.from('\uFEFFa\tb\n1\t2\n', 'utf16le'), 'the file is UTF-16; save it as UTF-8'],
  ['is Latin-1', Buffer.from('a,b\ncaf\xe9,2\n', 'latin1'), 'line 2: the bytes are not UTF-8'],
  ['names a column twice', 'a,b,a\n1,2,3\n', 'there are two columns a; rename one'],
  ['is cut Parquet', 'PAR1xxxxxxxxxxxx', 'the Parquet file cannot be read'],
])('a file that %s is refused', async (_, content, message) => {
  await expect(read('bad', content)).rejects.toThrow(message)
})

it('a file that is not there, or a folder, is refused', async () => {
  await expect(openRecords('/nowhere/x.csv', 'set')).rejects.toThrow('read set /nowhere/x.csv: the file does not exist')
  await expect(openRecords('/', 'set')).rejects.toThrow('it is a folder; name one of its files')
})

const columns = {
  text: 'text',
  number: 'number',
  whole: 'integer',
  yes: 'boolean',
  list: 'texts',
  other: 'json',
} as const

it('Parquet gives back what was written, group after group', async () => {
  const path = await writeFixture('x.parquet', 'what was there before')
  const given = Array.from({ length: 11_000 }, (_, i) => ({
    text: i % 3 === 0 ? null : `text ${i} é`,
    number: i % 5 === 0 ? null : i / 3,
    whole: i - 10,
    yes: i % 2 === 0,
    list: i % 7 === 0 ? null : Array.from({ length: i % 4 }, (_, j) => `${i} ${j}`),
    other: { i },
  }))
  await writeParquet(path, given, columns)
  const { format, records } = await openRecords(path, 'set')
  expect(format).toBe('Parquet')
  const read = await all(records)
  expect(read.at(-1)!.place).toBe('row 11000')
  expect(read.map(({ value }) => value)).toEqual(given.map((row) => ({ ...row, other: JSON.stringify(row.other) })))
})

it('Parquet of no rows has its columns', async () => {
  const path = await writeFixture('none.parquet', '')
  await writeParquet(path, [], columns)
  expect(await all((await openRecords(path, 'set')).records)).toEqual([])
  expect((await stat(path)).size).toBeGreaterThan(100)
})

it('Parquet with a cell of another type is refused, and what was there stays', async () => {
  const path = await writeFixture('kept.parquet', 'before')
  for (const [cell, message] of [
    [{ whole: 0.5 }, 'row 2, column whole: must be of type integer, got 0.5'],
    [{ list: ['a', 1] }, 'row 2, column list: must be of type texts, got ["a",1]'],
    [{ text: 3 }, 'row 2, column text: must be of type text, got 3'],
  ] as const) {
    await expect(writeParquet(path, [{ text: 'a' }, cell], columns)).rejects.toThrow(message)
  }
  expect(await readFile(path, 'utf8')).toBe('before')
  await expect(writeParquet('/nowhere/x.parquet', [], columns)).rejects.toThrow('the folder does not exist')
})
