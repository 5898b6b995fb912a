// Writes and reads JSONL larger than the longest string of JavaScript, 512 MB (`npx tsx test/bench/large-jsonl.ts`), and
// says how much memory the reading took.
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { streamJsonl, writeJsonl } from '../../src/file/jsonl.js'

const COUNT = 600_000
const TEXT = 'Ä document of a thousand bytes. '.repeat(31)

function* documents(): Generator<{ id: number; text: string }> {
  for (let id = 0; id < COUNT; id++) yield { id, text: TEXT }
}

const folder = mkdtempSync(join(tmpdir(), 'large-jsonl-'))
try {
  const path = join(folder, 'documents.jsonl')
  const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`
  let since = performance.now()
  await writeJsonl(path, documents())
  console.log(`${Math.round(statSync(path).size / 1e6)} MB written in ${seconds(since)}`)
  since = performance.now()
  let count = 0
  let largest = 0
  for await (const { id, text } of streamJsonl(path, z.object({ id: z.int(), text: z.string() }))) {
    if (id !== count++ || text !== TEXT) throw new Error(`record ${count} is another`)
    if (count % 1000 === 0) largest = Math.max(largest, process.memoryUsage.rss())
  }
  if (count !== COUNT) throw new Error(`${count} of ${COUNT} records were read`)
  console.log(`read in ${seconds(since)}, at most ${Math.round(largest / 1e6)} MB in memory`)
} finally {
  rmSync(folder, { recursive: true })
}
