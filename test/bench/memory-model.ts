// What microbatches of several shapes take, as the memory model says and as the process's peak shows (Linux).
// Run: npx tsx test/bench/memory-model.ts [layers, default 4] [adapter: an adapter alone is trained]
import { readFileSync, writeFileSync } from 'node:fs'
import { adapterScale, newAdapter } from '../../src/model/adapter.js'
import { disposeWeights, zeroWeights } from '../../src/model/weights.js'
import type { Weights } from '../../src/model/weights.js'
import { expectedShapes } from '../../src/model/weight-names.js'
import { int32 } from '../../src/tensor/host-tensor.js'
import { native } from '../../src/tensor/runtime.js'
import { Variable } from '../../src/tensor/variable.js'
import { compileLoss } from '../../src/train/loss-function.js'
import { microbatchMemory, totalBytes } from '../../src/train/memory-model.js'
import type { MemorySetup } from '../../src/train/memory-model.js'
import { sizeOf } from '../../src/train/memory-setup.js'
import { letterTokenizer, tinyConfig } from '../tiny-model.js'

const layers = Number(process.argv[2] ?? 4)
const withAdapter = process.argv[3] === 'adapter'
/** SmolLM2-135M's shape, with fewer layers. */
const base = {
  ...{ ...tinyConfig, layers, vocabSize: 49_152, hiddenSize: 576, heads: 9, kvHeads: 3, headDim: 64 },
  ...{ intermediateSize: 1536, maxPositions: 8192, attentionScale: 1 / 8 },
}
const { settings, shapes } = newAdapter(base, {})
const config = withAdapter ? { ...base, lora: { scale: adapterScale(settings), dropout: settings.dropout } } : base
const SHAPES = [
  { rows: 1, time: 256, targets: 64 },
  { rows: 4, time: 256, targets: 512 },
  { rows: 1, time: 1024, targets: 256 },
  { rows: 8, time: 512, targets: 256 },
  { rows: 1, time: 2048, targets: 256 },
  { rows: 4, time: 512, targets: 2048 },
  { rows: 2, time: 1024, targets: 256 },
  { rows: 1, time: 4096, targets: 256 },
]

const memory = (name: 'VmRSS' | 'VmHWM'): number =>
  Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024

const zeros = (shapes: Readonly<Record<string, readonly number[]>>): Promise<Weights> =>
  zeroWeights(
    Object.fromEntries(Object.entries(shapes).map(([key, shape]) => [key, new Variable(shape, 'float32', key)])),
  )
const weights = await zeros(expectedShapes(base))
const adapter = withAdapter ? await zeros(shapes) : undefined
const trainable = adapter ?? weights
const gradients = await zeroWeights(trainable)
const cell = (value: string | number): string => String(value).padStart(12)
console.log(['rows × time', 'targets', 'bfloat16', 'model MB', 'peak MB', 'ratio'].map(cell).join(''))
for (const bfloat16 of [false, true]) {
  const policy = { config, weights, tokenizer: { ...letterTokenizer, vocabSize: config.vocabSize } }
  const step = compileLoss('loss', policy, { temperature: 1, bfloat16 }, ({ logprobs }) => ({
    loss: logprobs.mean().neg(),
    metrics: {},
  }))
  for (const { rows, time, targets } of SHAPES) {
    const inputs = {
      ids: int32(new Int32Array(rows * time), [rows, time]),
      logitRows: int32(new Int32Array(targets).map((_, i) => i % (rows * time))),
      targets: int32(new Int32Array(targets)),
    }
    const run = () => step(inputs, { trainable, frozen: adapter ? weights : {}, gradients })
    await run()
    await native.releaseMemory(0)
    const before = memory('VmRSS')
    // The peak begins anew.
    writeFileSync('/proc/self/clear_refs', '5')
    await run()
    const peak = memory('VmHWM') - before
    const setup: MemorySetup = {
      ...{ config, bfloat16, optimizerStates: 'float32', reference: 'none' },
      ...(adapter && { trained: sizeOf(adapter) }),
    }
    const said = totalBytes(microbatchMemory(setup, { rows, time, targets }))
    const cells = [
      `${rows} × ${time}`,
      targets,
      bfloat16 ? 'yes' : 'no',
      Math.round(said / 1e6),
      Math.round(peak / 1e6),
    ]
    console.log([...cells, (said / peak).toFixed(2)].map(cell).join(''))
  }
  step.dispose()
}
for (const held of [weights, gradients, adapter ?? {}]) disposeWeights(held)
