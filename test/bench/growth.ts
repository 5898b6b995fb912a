// npx tsx test/bench/growth.ts [--write] [--up-to MILLIONS]: how time and peak memory grow with batch, length and model size,
// of a training step and of decoding; each in a process of its own. What the machine's memory cannot hold is left out and
// said. --write adds the tables to RESULTS.md, with what the memory model says of larger models on one GPU of 80 GB.
import { appendFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { availableMemory } from '../../src/host/available-memory.js'
import { newAdapter } from '../../src/model/adapter.js'
import { parseModelConfig } from '../../src/model/config.js'
import { parameterCount } from '../../src/model/weight-names.js'
import { decodingType } from '../../src/policy/decoder-for.js'
import { cacheBytes } from '../../src/policy/cache-size.js'
import { microbatchMemory, standingMemory, totalBytes } from '../../src/train/memory-model.js'
import type { MemorySetup } from '../../src/train/memory-model.js'
import { measureOwn } from './measure.js'
import {
  configJson,
  HALF_BILLION,
  MEDIUM,
  ONE_AND_A_HALF_BILLION,
  randomCheckpoint,
  SEVEN_BILLION,
  SMALL,
  SMOLLM2,
  THREE_BILLION,
  TINY,
} from './random-checkpoint.js'
import type { Shape } from './random-checkpoint.js'

interface Size {
  batch: number
  time: number
}

const at = process.argv.indexOf('--up-to')
const upTo = at < 0 ? Infinity : Number(process.argv[at + 1]) * 1e6
/** Rows grow at one length, then lengths at one number of rows. */
const STEPS: Size[] = [
  ...[1, 4, 16].map((batch) => ({ batch, time: 256 })),
  ...[64, 1024].map((time) => ({ batch: 4, time })),
]
const CONVERSATIONS = [1, 8, 32]
const LARGEST_STEP: Size = { batch: 1, time: 64 }
const MODELS: { shape: Shape; steps: Size[]; conversations: number[] }[] = [
  ...[TINY, SMALL, MEDIUM, SMOLLM2, HALF_BILLION].map((shape) => ({
    shape,
    steps: STEPS,
    conversations: CONVERSATIONS,
  })),
  { shape: ONE_AND_A_HALF_BILLION, steps: [LARGEST_STEP], conversations: [] },
]

const configOf = (shape: Shape) => parseModelConfig(configJson(shape))
const millions = (shape: Shape): string => `${(parameterCount(configOf(shape)) / 1e6).toFixed(1)} M`
const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`
const tableOf = (head: string[], rows: string[][]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')

/** What a step takes, as the memory model says; a training has gradients and Adam's moments in float32. */
function stepBytes(setup: MemorySetup, { batch, time }: Size): number {
  const shape = { rows: batch, time, targets: batch * (time - 1) }
  return totalBytes(standingMemory(setup)) + totalBytes(microbatchMemory(setup, shape))
}
const whole = (shape: Shape, bfloat16: boolean): MemorySetup => ({
  ...{ config: configOf(shape), bfloat16, optimizerStates: 'float32', reference: 'none' },
})

const steps: string[][] = []
const decoding: string[][] = []
for (const { shape, steps: sizes, conversations } of MODELS) {
  if (parameterCount(configOf(shape)) > upTo) continue
  const folder = await randomCheckpoint(shape)
  for (const size of sizes) {
    const work = [millions(shape), `${size.batch} × ${size.time}`]
    for (const bfloat16 of [false, true]) {
      const said = stepBytes(whole(shape, bfloat16), size)
      const row = [...work, bfloat16 ? 'bfloat16' : 'float32', gigabytes(said)]
      if (said > availableMemory()) {
        steps.push([...row, 'does not fit', '', ''])
      } else {
        const { ms, peakBytes = NaN } = measureOwn('train', folder, { ...size, bfloat16, repeats: 3 })
        const perSecond = ((size.batch * size.time) / ms) * 1000
        steps.push([...row, gigabytes(peakBytes), `${ms.toFixed(0)} ms`, perSecond.toFixed(0)])
      }
      console.log(steps.at(-1)!.join(' | '))
    }
  }
  for (const batch of conversations) {
    for (const decodingDtype of ['float32', 'bfloat16'] as const) {
      if (decodingType(configOf(shape), batch, decodingDtype) !== decodingDtype) continue
      const options = { batch, time: 128, tokens: 64, repeats: 2, decodingDtype }
      const { ms, peakBytes = NaN } = measureOwn('decode', folder, options)
      const perSecond = ((batch * options.tokens) / ms) * 1000
      decoding.push([millions(shape), String(batch), decodingDtype, gigabytes(peakBytes), `${ms.toFixed(0)} ms`])
      decoding.at(-1)!.push(perSecond.toFixed(0))
      console.log(decoding.at(-1)!.join(' | '))
    }
  }
}

/** What the memory model says of a model on a GPU of 80 GB: a microbatch of one row of 4,096, 64 conversations of as many. */
const GPU_BYTES = 80e9
const larger = [ONE_AND_A_HALF_BILLION, THREE_BILLION, SEVEN_BILLION].flatMap((shape) => {
  const { config } = whole(shape, true)
  const adapted = { optimizerStates: 'float32' as const, trained: newAdapter(config, {}).parameters }
  const ways: Record<string, Partial<MemorySetup>> = {
    'all weights': {},
    'all weights, 8-bit states, bfloat16 reference': { optimizerStates: '8-bit', reference: 'bfloat16' },
    adapter: adapted,
  }
  return Object.entries(ways).map(([way, setup]) => {
    const training = stepBytes({ ...whole(shape, true), ...setup }, { batch: 1, time: 4096 })
    const cache = cacheBytes(config, { slots: 64, conversations: 64, longest: 4096 })
    const fits = training + cache <= GPU_BYTES
    return [millions(shape), way, gigabytes(training), gigabytes(cache), fits ? 'yes' : 'no']
  })
})

const tables = [
  tableOf(['parameters', 'batch × length', 'products', 'memory model', 'peak memory', 'step', 'tokens/s'], steps),
  '64 tokens after a prompt of 128, its reading included:',
  tableOf(['parameters', 'conversations', 'layers in', 'peak memory', 'time', 'tokens/s'], decoding),
  'What the memory model says of one GPU of 80 GB, products in bfloat16, 1 × 4,096 ids a microbatch, caches of 64 conversations of 4,096 ids:',
  tableOf(['parameters', 'trained', 'training', 'caches', 'fits'], larger),
].join('\n\n')
console.log(tables)
if (process.argv.includes('--write')) {
  const machine = `${cpus().length} × ${cpus()[0]!.model}, Node ${process.versions.node}, load ${loadavg()[0]!.toFixed(1)}`
  const title = `## Growth, ${new Date().toISOString().slice(0, 10)}, ${machine}`
  const file = fileURLToPath(new URL('./RESULTS.md', import.meta.url))
  appendFileSync(file, `\n${title}\n\nBy \`npx tsx test/bench/growth.ts --write\`.\n\n${tables}\n`)
}
