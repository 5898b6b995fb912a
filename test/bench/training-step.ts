// Time, processor time and memory of supervised steps on a model folder, with those of the first step's trace and compile.
// Run: npx tsx test/bench/training-step.ts FOLDER [rows, default 4] [tokens a row, default 256] [steps, default 4] [bf16]
// Half of each row is trained. Processor time says more than time on a machine that does other work too.
import { readFileSync } from 'node:fs'
import { loadModel } from '../../src/language-model/local-model.js'
import { trainSupervised } from '../../src/train/supervised.js'

const [folder, rows = '4', tokens = '256', steps = '4', half] = process.argv.slice(2)
if (folder === undefined) throw new Error('training-step: name the folder of a model')
const count = Number(rows)
const length = Number(tokens)

/** Of /proc/self/status, in MB. */
const status = (name: string): string =>
  (Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1000).toFixed(0)

let started = performance.now()
let used = process.cpuUsage()
function line(label: string): void {
  const { user, system } = process.cpuUsage(used)
  const seconds = ((performance.now() - started) / 1000).toFixed(2)
  console.log(
    `${label.padEnd(28)} ${seconds} s, processor ${((user + system) / 1e6).toFixed(2)} s, ` +
      `resident ${status('VmRSS')} MB, peak ${status('VmHWM')} MB`,
  )
  started = performance.now()
  used = process.cpuUsage()
}

const policy = await loadModel(folder, { slots: 1 })
line('loaded')
await trainSupervised({
  policy,
  steps: Number(steps),
  bfloat16: half === 'bf16',
  microbatchTokens: Math.max(4096, length),
  learningRate: 1e-5,
  batch: () =>
    Array.from({ length: count }, (_, row) => ({
      ids: Array.from({ length }, (_, i) => 10 + ((i * 7919 + row * 104_729) % 2000)),
      tokenWeights: Array.from({ length }, (_, i) => (2 * i < length ? 0 : 1)),
    })),
  onStep: ({ step, loss }) => line(`step ${step}, loss ${loss.toFixed(5)}`),
})
policy.dispose()
