// Kills a writer of a folder at random moments (`npx tsx test/bench/kill-writer.ts [rounds]`): what is there afterwards
// must be whole, the last one that was written or the one after it, and nothing may be left beside it in the end.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openFolder } from '../../src/file/write-folder.js'
import { NUMBERED } from '../file/endless-writer.js'
import { killWriters, readNumber } from '../file/kill-writer.js'

const rounds = Number(process.argv[2] ?? 60)
const parent = mkdtempSync(join(tmpdir(), 'kill-writer-'))
const folder = join(parent, 'target')
try {
  const recovered = await killWriters(folder, rounds, Math.random)
  await (await openFolder(folder, NUMBERED, { overwrite: true })).close()
  const left = readdirSync(parent).filter((name) => name !== 'target')
  if (left.length > 0) throw new Error(`left beside the folder: ${left.join(', ')}`)
  console.log(
    `${rounds} kills, ${readNumber(folder)} writings: always whole; the folder was put back ${recovered} times`,
  )
} finally {
  rmSync(parent, { recursive: true })
}
