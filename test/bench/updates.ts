// npm run bench:updates [-- --write]: whole updates of GRPO and PPO, rollouts included, against TRL's on the CPU, all cores on both
// sides, the sides alternating. Prints ratios and peak memory; --write puts the table into RESULTS.md.
import { appendFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { measureOwn, measureTorch } from './measure.js'
import type { Measured } from './measure.js'
import { SMALL, randomCheckpoint } from './random-checkpoint.js'

/** The goal: TRL's time over ours. */
const GOAL = 4
/** Each side is measured so often, and its best counts: other work on the machine only adds. */
const ROUNDS = 2

const batch = { batch: 80, time: 64, tokens: 64, repeats: 1 }
const cases = ['grpo', 'ppo'].flatMap((kind) =>
  [
    { epochs: 1, minibatches: 1 },
    { epochs: 4, minibatches: 4 },
  ].map((steps) => ({ kind, steps })),
)

const best = (measured: Measured[]): Required<Pick<Measured, 'ms' | 'learnMs' | 'peakBytes'>> => {
  const least = (value: keyof Measured): number => Math.min(...measured.map((one) => one[value]!))
  return { ms: least('ms'), learnMs: least('learnMs'), peakBytes: least('peakBytes') }
}

const head = [
  'update of 16 prompts × 5 × 64 tokens',
  'zerosearch',
  'TRL',
  'ratio',
  `goal ${GOAL}×`,
  'without sampling',
  'TRL',
  'ratio',
  'peak memory',
  'TRL',
]
const rows = [head, head.map(() => '---')]
const folder = await randomCheckpoint(SMALL)
for (const { kind, steps } of cases) {
  const sides = { own: [] as Measured[], trl: [] as Measured[] }
  for (let round = 0; round < ROUNDS; round++) {
    sides.own.push(measureOwn(kind, folder, { ...batch, ...steps }))
    sides.trl.push(measureTorch(kind, folder, { ...batch, ...steps }))
  }
  const own = best(sides.own)
  const trl = best(sides.trl)
  const ratio = trl.ms / own.ms
  const milliseconds = (value: number): string => `${value.toFixed(0)} ms`
  const megabytes = (value: number): string => `${(value / 1e6).toFixed(0)} MB`
  rows.push([
    `${kind.toUpperCase()}, ${steps.epochs} epochs of ${steps.minibatches} minibatches`,
    ...[milliseconds(own.ms), milliseconds(trl.ms), `${ratio.toFixed(2)}×`, ratio >= GOAL ? 'reached' : 'not reached'],
    ...[milliseconds(own.learnMs), milliseconds(trl.learnMs), `${(trl.learnMs / own.learnMs).toFixed(2)}×`],
    ...[megabytes(own.peakBytes), megabytes(trl.peakBytes)],
  ])
  console.log(rows.at(-1)!.join(' | '))
}
if (process.argv.includes('--write')) {
  const machine = `${cpus().length} × ${cpus()[0]!.model}, Node ${process.versions.node}`
  const table = rows.map((row) => `| ${row.join(' | ')} |`).join('\n')
  const file = fileURLToPath(new URL('./RESULTS.md', import.meta.url))
  appendFileSync(file, `\n## Updates against TRL, ${new Date().toISOString().slice(0, 10)}, ${machine}\n\n${table}\n`)
}
