// npm run bench [-- --write] [-- --small]: this project against torch, transformers and TRL on the CPU, all cores on both
// sides, one after the other in one run. Prints ratios; --write puts the table into RESULTS.md.
import { appendFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { measureOwn, measureTorch } from './measure.js'
import { HALF_BILLION, SMALL, randomCheckpoint } from './random-checkpoint.js'
import type { Shape } from './random-checkpoint.js'

interface Case {
  title: string
  kind: 'train' | 'decode' | 'grpo'
  shape: Shape
  own: Record<string, number | boolean>
  torch: Record<string, number | boolean>
  /** The goal: torch's time over ours. */
  goal: number
}

const here = fileURLToPath(new URL('./', import.meta.url))

const step = { batch: 16, time: 128 }
const big = { batch: 1, time: 64, repeats: 3 }
const cases: Case[] = [
  { title: 'training step, float32', kind: 'train', shape: SMALL, own: step, torch: step, goal: 1.2 },
  {
    title: "training step, bfloat16 against torch's float32",
    kind: 'train',
    shape: SMALL,
    own: { ...step, bfloat16: true },
    torch: step,
    goal: 1.5,
  },
  {
    title: 'training step, bfloat16',
    kind: 'train',
    shape: SMALL,
    own: { ...step, bfloat16: true },
    torch: { ...step, bfloat16: true },
    goal: 1,
  },
  ...[1, 8, 32, 64].map((batch): Case => ({
    title: `decoding, batch ${batch}`,
    kind: 'decode',
    shape: SMALL,
    own: { batch, repeats: 3 },
    torch: { batch, repeats: 3 },
    goal: 2,
  })),
  {
    title: 'GRPO update, 16 prompts × 5 × 64 tokens',
    kind: 'grpo',
    shape: SMALL,
    own: { batch: 80, time: 64, tokens: 64, repeats: 3 },
    torch: { batch: 80, time: 64, tokens: 64, repeats: 3 },
    goal: 2,
  },
  {
    title: "training step, Qwen2.5-0.5B's shape, float32",
    kind: 'train',
    shape: HALF_BILLION,
    own: big,
    torch: big,
    goal: 2,
  },
  {
    title: "training step, Qwen2.5-0.5B's shape, bfloat16 against torch's float32",
    kind: 'train',
    shape: HALF_BILLION,
    own: { ...big, bfloat16: true },
    torch: big,
    goal: 1.5,
  },
  {
    title: "decoding, Qwen2.5-0.5B's shape, batch 1",
    kind: 'decode',
    shape: HALF_BILLION,
    own: { batch: 1, time: 64, tokens: 32, repeats: 2, tokensPerCall: 1 },
    torch: { batch: 1, time: 64, tokens: 32, repeats: 2 },
    goal: 2,
  },
]

const rows: string[] = []
for (const item of cases.filter(({ shape }) => !process.argv.includes('--small') || shape === SMALL)) {
  const folder = await randomCheckpoint(item.shape)
  const own = measureOwn(item.kind, folder, item.own)
  const torch = measureTorch(item.kind, folder, item.torch)
  const ratio = torch.ms / own.ms
  const row = [
    item.title,
    `${own.ms.toFixed(0)} ms`,
    `${torch.ms.toFixed(0)} ms`,
    `${ratio.toFixed(2)}×`,
    `${item.goal}×`,
    ratio >= item.goal ? 'yes' : 'no',
    `${(own.firstMs / 1000).toFixed(1)} s`,
    own.otherLengthMs === undefined ? '' : `${own.otherLengthMs.toFixed(0)} ms`,
  ]
  rows.push(`| ${row.join(' | ')} |`)
  console.log(rows[rows.length - 1])
}
const head = [
  'work',
  'zerosearch',
  'torch',
  'ratio',
  'goal',
  'reached',
  'first call (trace and compile)',
  'another length',
]
const table = [`| ${head.join(' | ')} |`, `|${head.map(() => '---').join('|')}|`, ...rows].join('\n')
if (process.argv.includes('--write')) {
  const machine = `${cpus().length} × ${cpus()[0]!.model}, Node ${process.versions.node}`
  appendFileSync(`${here}RESULTS.md`, `\n## ${new Date().toISOString().slice(0, 10)}, ${machine}\n\n${table}\n`)
}
