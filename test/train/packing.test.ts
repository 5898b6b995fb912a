// Several sequences in a row: they do not see each other, so that losses and gradients are those of a row each.
import { afterAll, describe, expect, it } from 'vitest'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { downloadWeight, zeroWeights } from '../../src/model/weights.js'
import { createRandom } from '../../src/random/seeded-random.js'
import type { Traced } from '../../src/tensor/compile.js'
import { float32 } from '../../src/tensor/host-tensor.js'
import type { HostTensor } from '../../src/tensor/host-tensor.js'
import { compileLoss, modelWeights } from '../../src/train/loss-function.js'
import type { TargetInputs } from '../../src/train/loss-function.js'
import { perTarget, toMicrobatches } from '../../src/train/microbatch.js'
import type { Sequence } from '../../src/train/microbatch.js'
import { checkpointFolder } from '../model/fixtures.js'

const open: LocalModel[] = []
afterAll(() => open.forEach((model) => model.dispose()))

const LENGTHS = [150, 3, 40, 9, 64, 31, 150, 2, 77, 12]

function someSequences({ tokenizer }: LocalModel): Sequence[] {
  const random = createRandom(4)
  return LENGTHS.map((length) => ({
    ids: Array.from({ length }, () => Math.floor(random() * tokenizer.vocabSize)),
    trained: Array.from({ length: length - 1 }, (_, i) => i + 1).filter(() => random() < 0.6 || length < 4),
  }))
}

type Inputs = TargetInputs & { weight: HostTensor }

async function lossAndGradients(model: LocalModel, sequences: readonly Sequence[], packing: boolean) {
  const { trainable, frozen } = modelWeights(model)
  const gradients = await zeroWeights(trainable)
  const options = { temperature: 1, bfloat16: false }
  const accumulate = compileLoss('loss', model, options, ({ logprobs }, i: Traced<Inputs>) => ({
    loss: logprobs.mul(i.weight).sum().neg(),
    metrics: {},
  }))
  const batches = toMicrobatches(sequences, 1000, packing)
  const total = sequences.reduce((sum, { trained }) => sum + trained.length, 0)
  let loss = 0
  for (const batch of batches) {
    const { ids, starts, logitRows, targets } = batch
    const weight = float32(perTarget(batch, () => 1 / total))
    const inputs = { ids, logitRows, targets, weight, ...(starts && { starts }) }
    loss += (await accumulate(inputs, { trainable, frozen, gradients })).loss.data[0]!
  }
  accumulate.dispose()
  const values: Record<string, Float32Array> = {}
  for (const [key, gradient] of Object.entries(gradients)) values[key] = await downloadWeight(gradient)
  const ids = batches.reduce((sum, batch) => sum + batch.ids.data.length, 0)
  return { loss, values, ids, packed: batches.some(({ starts }) => starts !== undefined) }
}

const norm = (values: Float32Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))

describe.each([
  ['qwen2', {}],
  ['llama3', {}],
  ['gemma2', {}],
  ['gemma3', {}],
  ['qwen3', { adapter: { rank: 4 } }],
])('%s', (name, options) => {
  it('learns from packed sequences what it learns from each by itself', async () => {
    const model = await loadModel(checkpointFolder(name), { slots: 1, ...options })
    open.push(model)
    const sequences = someSequences(model)
    const apart = await lossAndGradients(model, sequences, false)
    const packed = await lossAndGradients(model, sequences, true)
    expect([apart.packed, packed.packed]).toEqual([false, true])
    expect(packed.ids).toBeLessThan(apart.ids)
    expect(Math.abs(packed.loss - apart.loss)).toBeLessThan(1e-5)
    for (const [key, gradient] of Object.entries(apart.values)) {
      const difference = norm(gradient.map((value, i) => value - packed.values[key]![i]!))
      expect(difference, key).toBeLessThanOrEqual(1e-5 * Math.max(1, norm(gradient)))
    }
  })
})
