// npm run verify:gpu [-- --cpu]: whether everything runs, and runs right, on this machine's GPU, in about ten minutes.
// Writes .runtime/gpu-report.md, which is made to be sent to the project. `--cpu` goes through the same on the CPU.
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { arch, cpus, platform } from 'node:os'
import { fileURLToPath } from 'node:url'
import { HALF_BILLION, SMALL, randomCheckpoint } from './random-checkpoint.js'
import type { Shape } from './random-checkpoint.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const tsx = ['--import', 'tsx']
const onCpu = process.argv.includes('--cpu')
const TIME_LIMIT_MS = 240_000
const MEMORY_PERIOD_MS = 500

interface Outcome {
  status: number | null
  output: string
  errors: string
  /** The most GPU memory in use while it ran, of all processes, in MiB; null without a GPU. */
  peakMiB: number | null
}

const gpuMemory = (): number | null => {
  const { status, stdout } = spawnSync('nvidia-smi', ['--query-gpu=memory.used', '--format=csv,noheader,nounits'])
  return status === 0 ? Number(String(stdout).split('\n')[0]) : null
}

/** Each check is a process of its own: what fails in one says nothing of the next. */
function node(args: string[], device: 'cpu' | 'gpu', env: Record<string, string> = {}): Promise<Outcome> {
  const settings = { ...process.env, ...env }
  if (device === 'cpu') settings['ZEROSEARCH_DEVICE'] = 'cpu'
  const child = spawn(process.execPath, args, { cwd: root, env: settings, timeout: TIME_LIMIT_MS })
  const outcome: Outcome = { status: null, output: '', errors: '', peakMiB: device === 'gpu' ? gpuMemory() : null }
  child.stdout.on('data', (data) => (outcome.output += String(data)))
  child.stderr.on('data', (data) => (outcome.errors += String(data)))
  const watch = setInterval(() => {
    if (outcome.peakMiB !== null) outcome.peakMiB = Math.max(outcome.peakMiB, gpuMemory() ?? 0)
  }, MEMORY_PERIOD_MS)
  return new Promise((resolve) => {
    child.on('close', (status) => {
      clearInterval(watch)
      resolve({ ...outcome, status })
    })
  })
}

const rows: string[] = []
let faults = 0

function note(check: string, good: boolean, result: string): void {
  if (!good) faults++
  rows.push(`| ${check} | ${good ? 'yes' : '**no**'} | ${result} |`)
  console.log(`${good ? '✓' : '✗'} ${check}: ${result}`)
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1)?.slice(0, 200) ?? ''

const PLACEMENT = `
require('./kernel/preload.cjs')
const tf = require('@tensorflow/tfjs-node-gpu')
const { binding } = tf.backend()
const sum = tf.matMul(tf.ones([64, 64]), tf.ones([64, 64])).sum().dataSync()[0]
if (sum !== 64 ** 3) throw new Error('the product of two matrices sums to ' + sum)
console.log(binding.deviceName() + ', TensorFlow ' + binding.TF_Version)
`

async function placement(device: 'cpu' | 'gpu'): Promise<void> {
  const { status, output, errors } = await node(['-e', PLACEMENT], device)
  const good = status === 0 && output.includes(`device:${device.toUpperCase()}:`)
  note(`a product of matrices runs on the ${device.toUpperCase()}`, good, lastLine(status === 0 ? output : errors))
}

/** TensorFlow rounds products to 10 bits of mantissa on newer GPUs (TF32): switched off where digits are compared. */
async function parity(folder: string): Promise<void> {
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--reporter=json', folder]
  const { status, output, errors } = await node(args, onCpu ? 'cpu' : 'gpu', { NVIDIA_TF32_OVERRIDE: '0' })
  const start = output.indexOf('{')
  if (start < 0) return note(`tests in ${folder}`, false, lastLine(errors))
  const { numPassedTests, numFailedTests } = JSON.parse(output.slice(start)) as Record<string, number>
  note(`tests in ${folder}`, status === 0, `${numPassedTests} passed, ${numFailedTests} failed`)
}

interface Timing {
  ms: number
  firstMs: number
  tokensPerSecond?: number
  compiled: number
}

async function speed(kind: 'train' | 'decode', shape: Shape, options: object, device: 'cpu' | 'gpu'): Promise<void> {
  const folder = await randomCheckpoint(shape)
  const args = [...tsx, 'test/bench/measure-own.ts', kind, folder, JSON.stringify(options)]
  const { status, output, errors, peakMiB } = await node(args, device)
  const check = `${kind}, ${shape.name}, ${JSON.stringify(options).replaceAll('"', '')}, ${device.toUpperCase()}`
  if (status !== 0) return note(check, false, lastLine(errors) || `ended after ${TIME_LIMIT_MS / 1000} s`)
  const { ms, firstMs, tokensPerSecond, compiled } = JSON.parse(lastLine(output)) as Timing
  const parts = [`${ms.toFixed(1)} ms`, `first ${(firstMs / 1000).toFixed(1)} s`, `${compiled} compiled functions`]
  if (tokensPerSecond) parts.push(`${tokensPerSecond.toFixed(0)} tokens/s`)
  if (peakMiB !== null) parts.push(`peak ${peakMiB} MiB`)
  note(check, Number.isFinite(ms), parts.join(', '))
}

const query = ['--query-gpu=name,memory.total,driver_version', '--format=csv,noheader']
const gpu = spawnSync('nvidia-smi', query, { encoding: 'utf8' })
if (!onCpu && gpu.status !== 0) {
  console.error(
    '✗ There is no NVIDIA GPU here (nvidia-smi does not answer). To go through the same on the CPU: add -- --cpu',
  )
  process.exit(1)
}

const started = Date.now()
const device = onCpu ? 'cpu' : 'gpu'
await placement('cpu')
if (!onCpu) await placement('gpu')
for (const folder of ['test/tensor', 'test/algorithm', 'test/model/parity.test.ts']) await parity(folder)
const training = { batch: 16, time: 128 }
const decoding = { batch: 16, time: 64, tokens: 64, repeats: 2 }
await speed('train', SMALL, training, 'cpu')
await speed('decode', SMALL, decoding, 'cpu')
if (device === 'gpu') {
  for (const shape of [SMALL, HALF_BILLION]) {
    await speed('train', shape, training, 'gpu')
    await speed('train', shape, { ...training, bfloat16: true }, 'gpu')
    await speed('decode', shape, decoding, 'gpu')
  }
}

const machine = [
  gpu.status === 0 ? gpu.stdout.trim() : 'no GPU',
  `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown CPU'}`,
  `${platform()}-${arch()}`,
  `Node ${process.versions.node}`,
]
const report = `# GPU report, ${new Date().toISOString().slice(0, 10)}

${machine.map((line) => `- ${line}`).join('\n')}
- ${((Date.now() - started) / 60_000).toFixed(1)} minutes

| check | as it should be | result |
|---|---|---|
${rows.join('\n')}
`
mkdirSync(`${root}.runtime`, { recursive: true })
writeFileSync(`${root}.runtime/gpu-report.md`, report)
console.log(`\n${faults === 0 ? 'everything as it should be' : `${faults} faults`}; report: .runtime/gpu-report.md`)
process.exitCode = faults > 0 ? 1 : 0
