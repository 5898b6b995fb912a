// Kills a training of the mini world at random moments and resumes it (`npx tsx test/bench/kill-training.ts [kills] [tiny]`,
// default 50; with `tiny` a model of random weights and scripted words, whose processes start in two seconds): whatever the
// moment, the run must end with the records and, bit for bit, the weights of an unbroken one.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { runIn, trainWithKills } from '../train/kill-training.js'
import type { Training } from '../train/kill-training.js'

const kills = Number(process.argv[2] ?? 50)
const training: Training = { model: process.argv[3] === 'tiny' ? 'tiny' : 'mini', updates: 12, span: 0 }
const parent = mkdtempSync(join(tmpdir(), 'kill-training-'))
try {
  const started = performance.now()
  await trainWithKills(join(parent, 'unbroken'), training, 0, Math.random)
  // A run that is begun anew has fewer updates to make.
  training.span = (performance.now() - started) / 2
  console.log(`unbroken: ${training.updates} updates in ${Math.round(training.span / 500)} s`)
  const unbroken = runIn(join(parent, 'unbroken'))
  for (let killed = 0, run = 1; killed < kills; run++) {
    const folder = join(parent, `run-${run}`)
    const times = await trainWithKills(folder, training, kills - killed, Math.random)
    killed += times
    if (!isDeepStrictEqual(runIn(folder), unbroken)) throw new Error(`run ${run} is another than the unbroken one`)
    const left = readdirSync(parent).filter((name) => name.startsWith('.'))
    if (left.length > 0) throw new Error(`left beside the folder: ${left.join(', ')}`)
    console.log(`run ${run}: killed ${times} times (${killed} of ${kills}), the same as the unbroken one`)
    rmSync(folder, { recursive: true })
  }
} finally {
  rmSync(parent, { recursive: true })
}
