// Memory of a supervised training of a real model over ragged examples: a line each step, and after all is disposed of.
// Run: SMOLLM2=<model folder> npx tsx test/bench/memory-supervised.ts [steps, default 20] [microbatchTokens, default 1100]
import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { loadModel } from '../../src/language-model/local-model.js'
import { createRandom } from '../../src/random/seeded-random.js'
import { compileCount } from '../../src/tensor/compile.js'
import { native } from '../../src/tensor/runtime.js'
import { trainSupervised } from '../../src/train/supervised.js'

const [steps = 20, microbatchTokens = 1100] = process.argv.slice(2).map(Number)
const folder = process.env['SMOLLM2']
if (folder === undefined) throw new Error('memory: SMOLLM2 must name the folder of a model')

function line(label: string): void {
  const megabytes = (name: string): number =>
    Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))![1]) / 1000)
  const numbers = [megabytes('VmRSS'), megabytes('VmHWM'), compileCount(), native.getNumOfTensors()]
  console.log([label.padEnd(10), ...numbers.map((number) => String(number).padStart(10))].join(''))
}

console.log('                 RSS MB   peak MB  compiled   tensors')
line('start')
const policy = await loadModel(folder, { slots: 2 })
line('loaded')
const random = createRandom(3)
const example = () => {
  const length = 250 + Math.floor(random() * 250)
  const ids = Array.from({ length }, () => Math.floor(random() * policy.tokenizer.vocabSize))
  return { ids, tokenWeights: ids.map((_, i) => (i > 0.8 * length ? 1 : 0)) }
}
await trainSupervised({
  ...{ policy, steps, microbatchTokens, learningRate: 1e-6, progress: false },
  batch: () => [example(), example()],
  onStep: ({ step }) => line(`step ${step}`),
})
policy.dispose()
// What was freed is given back in the background.
await setTimeout(5000)
line('disposed')
