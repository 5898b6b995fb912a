// Kills a training at random moments and resumes it (`npx tsx test/bench/kill-training.ts [kills] [what]`, default 50 and `mini`):
// whatever the moment, the run must end with the records and, bit for bit, the weights of an unbroken one. What is trained is
// - `mini`, GRPO of the mini world's policy;
// - `tiny`, the same of a model of random weights and scripted words, whose processes start in two seconds;
// - `ppo` with a critic of its own, `dapo` with refilled groups, an `adapter` by GRPO, or `finetune`, of a tiny checkpoint that
//   really samples.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { TRAINEES, runIn, trainWithKills } from '../train/kill-training.js'
import type { Training } from '../train/kill-training.js'

const kills = Number(process.argv[2] ?? 50)
const model = process.argv[3] ?? 'mini'
if (!(model in TRAINEES)) throw new Error(`what is trained must be ${Object.keys(TRAINEES).join(', ')}, got ${model}`)
const training: Training = { model: model as Training['model'], updates: 12, span: 0 }
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
