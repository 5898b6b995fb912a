import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { openLines } from '../../src/file/line-file.js'
import { readLines } from '../../src/file/read-lines.js'

const folder = mkdtempSync(join(tmpdir(), 'lines-'))
afterAll(() => rmSync(folder, { recursive: true }))

it('lines are there when their promise resolves, in the order in which they were added', async () => {
  const path = join(folder, 'a.jsonl')
  const file = await openLines(path)
  await file.add('first')
  expect(readFileSync(path, 'utf8')).toBe('first\n')
  const added = Array.from({ length: 500 }, (_, n) => file.add(`${n} ${'ä'.repeat(n)}`))
  await added[250]
  expect(readFileSync(path, 'utf8').split('\n').length).toBeGreaterThan(251)
  await Promise.all(added)
  await file.close()
  await file.close()
  const lines = readFileSync(path, 'utf8').split('\n')
  expect(lines.slice(1, -1).map((line) => Number(line.split(' ')[0]))).toEqual(Array.from({ length: 500 }, (_, n) => n))
  await expect(file.add('late')).rejects.toThrow('the file is closed')
})

it.each([
  ['', ''],
  ['a\nb\n', 'a\nb\n'],
  ['a\nb', 'a\n'],
  ['a', ''],
  [`a\n${'b'.repeat(200_000)}`, 'a\n'],
  [`${'b'.repeat(200_000)}\nc`, `${'b'.repeat(200_000)}\n`],
])('what a killed writer left of a last line is cut off: %#', async (before, after) => {
  const path = join(folder, 'torn.jsonl')
  writeFileSync(path, before)
  const file = await openLines(path)
  await file.add('new')
  await file.close()
  expect(readFileSync(path, 'utf8')).toBe(`${after}new\n`)
})

it('a reader may leave out a last line that has no end, whatever bytes it has', async () => {
  const path = join(folder, 'read.jsonl')
  writeFileSync(path, 'a\nb\nc')
  appendFileSync(path, Buffer.from([0xc3]))
  const lines: string[] = []
  for await (const block of readLines(path, 'file', undefined, true)) lines.push(...block.lines)
  expect(lines).toEqual(['a', 'b'])
})

// Writing to /dev/full fails as on a full disk.
it.skipIf(!existsSync('/dev/full'))('a full disk is said, and nothing more is written', async () => {
  const file = await openLines('/dev/full')
  await expect(file.add('a')).rejects.toThrow('write /dev/full: cannot write /dev/full: no space left on the disk')
  await expect(file.add('b')).rejects.toThrow('no space left')
})
