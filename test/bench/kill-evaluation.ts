// Kills an evaluation at random moments and resumes it (`npx tsx test/bench/kill-evaluation.ts [kills]`, default 50): whatever the
// moment, the folder must end as that of an unbroken one, and no more be asked again than was in flight.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { ASKED, IN_FLIGHT, askedIn, evaluateWithKills, resultsIn } from '../evaluation/kill-evaluation.js'

const kills = Number(process.argv[2] ?? 50)
const parent = mkdtempSync(join(tmpdir(), 'kill-evaluation-'))
try {
  await evaluateWithKills(join(parent, 'unbroken'), join(parent, 'unbroken.log'), 0, Math.random)
  const unbroken = resultsIn(join(parent, 'unbroken'))
  const failed = unbroken.scores.filter((score) => (score as { failure?: string }).failure !== undefined).length
  for (let killed = 0, run = 1; killed < kills; run++) {
    const [folder, log] = [join(parent, `run-${run}`), join(parent, `run-${run}.log`)]
    const times = await evaluateWithKills(folder, log, Math.min(10, kills - killed), Math.random)
    killed += times
    if (!isDeepStrictEqual(resultsIn(folder), unbroken)) throw new Error(`run ${run} is another than the unbroken one`)
    const again = askedIn(log) - ASKED
    if (again > times * (IN_FLIGHT + failed)) throw new Error(`run ${run}: ${again} questions were asked again`)
    const left = readdirSync(parent).filter((name) => name.startsWith('.'))
    if (left.length > 0) throw new Error(`left beside the folder: ${left.join(', ')}`)
    console.log(
      `run ${run}: killed ${times} times (${killed} of ${kills}), the same as the unbroken one; ${again} asked again, ` +
        `of which at most ${times * failed} had failed`,
    )
    rmSync(folder, { recursive: true })
  }
} finally {
  rmSync(parent, { recursive: true })
}
