import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { z } from 'zod'
import { openJournal } from '../../src/file/journal.js'

const folder = mkdtempSync(join(tmpdir(), 'journal-'))
afterAll(() => rmSync(folder, { recursive: true }))
const record = z.object({ n: z.int(), text: z.string() })
const open = (path: string) => openJournal(path, record, 'journal')

test('keeps records in their order, also those that are added at once', async () => {
  const path = join(folder, 'order.jsonl')
  const [none, journal] = await open(path)
  expect(none).toEqual([])
  const records = Array.from({ length: 200 }, (_, n) => ({ n, text: 'ä\n"x"\u2028'.repeat(n) }))
  await Promise.all(records.slice(0, 100).map((each) => journal.add(each)))
  for (const each of records.slice(100)) await journal.add(each)
  await journal.close()
  const [kept, again] = await open(path)
  expect(kept).toEqual(records)
  await again.close()
})

test.each([
  ['{"n": 2, "te', 1],
  ['{"n": 2, "text": "ä'.slice(0, -1) + '\u00e4', 1],
  ['x'.repeat(200_000), 1],
  ['{"n": 2, "text": ""}', 1],
  ['{"n": 2, "text": ""}\n', 2],
])('a line without its end, as a killed writer leaves it, is cut off: %.20s', async (left, lines) => {
  const path = join(folder, 'torn.jsonl')
  writeFileSync(path, '{"n":1,"text":"one"}\n')
  appendFileSync(path, left)
  const [kept, journal] = await open(path)
  expect(kept).toHaveLength(lines)
  await journal.add({ n: 3, text: 'three' })
  await journal.close()
  expect(readFileSync(path, 'utf8').trim().split('\n').at(-1)).toBe('{"n":3,"text":"three"}')
})

test('refuses a whole line that is no record, and a file that is cut in its only line is empty', async () => {
  const path = join(folder, 'broken.jsonl')
  writeFileSync(path, '{"n":1}\n')
  await expect(open(path)).rejects.toThrow('line 1: column text is missing')
  writeFileSync(path, '{"n":1')
  const [kept, journal] = await open(path)
  expect(kept).toEqual([])
  await journal.close()
})
