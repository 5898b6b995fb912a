// Several sequences in a row: they do not see each other, though what all of them begin with, so that losses and gradients are
// those of a row each.
import { afterAll, describe, expect, it } from 'vitest'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { downloadWeight, zeroWeights } from '../../src/model/weights.js'
import { createRandom } from '../../src/random/seeded-random.js'
import type { Traced } from '../../src/tensor/compile.js'
import { float32 } from '../../src/tensor/host-tensor.js'
import type { HostTensor } from '../../src/tensor/host-tensor.js'
import { compileLoss, modelWeights } from '../../src/train/loss-function.js'
import { perTarget, targetInputs, toMicrobatches } from '../../src/train/microbatch.js'
import type { TargetInputs } from '../../src/train/microbatch.js'
import { ownRows, packedRows, rolloutRows } from '../../src/train/rows.js'
import type { Row, Sequence } from '../../src/train/rows.js'
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

/** Two groups of rollouts, each of one prompt, the second of a prompt of one id, and one that is alone with its prompt. */
function someRollouts({ tokenizer }: LocalModel): Sequence[] {
  const random = createRandom(5)
  const some = (length: number): number[] => Array.from({ length }, () => Math.floor(random() * tokenizer.vocabSize))
  return [
    { prompt: some(60), lengths: [40, 9, 130, 1] },
    { prompt: some(1), lengths: [5, 30] },
    { prompt: some(25), lengths: [12] },
  ].flatMap(({ prompt, lengths }) =>
    lengths.map((length) => ({
      ids: [...prompt, ...some(length)],
      // The first is of the policy, as in a rollout; later ones may be of a document.
      trained: Array.from({ length }, (_, i) => prompt.length + i).filter((_, i) => i === 0 || random() < 0.6),
    })),
  )
}

type Inputs = TargetInputs & { weight: HostTensor }

async function lossAndGradients(model: LocalModel, sequences: readonly Sequence[], rows: readonly Row[]) {
  const { trainable, frozen } = modelWeights(model)
  const gradients = await zeroWeights(trainable)
  const options = { temperature: 1, bfloat16: false }
  const accumulate = compileLoss('loss', model, options, ({ logprobs }, i: Traced<Inputs>) => ({
    loss: logprobs.mul(i.weight).sum().neg(),
    metrics: {},
  }))
  const batches = toMicrobatches(sequences, 1000, rows)
  const total = sequences.reduce((sum, { trained }) => sum + trained.length, 0)
  let loss = 0
  for (const batch of batches) {
    // They differ, so that a value in another's place is seen.
    const weight = float32(perTarget(batch, ({ sequence, token }) => (1 + ((sequence + token) % 3)) / total))
    const inputs = { ...targetInputs(batch), weight }
    loss += (await accumulate(inputs, { trainable, frozen, gradients })).loss.data[0]!
  }
  accumulate.dispose()
  const values: Record<string, Float32Array> = {}
  for (const [key, gradient] of Object.entries(gradients)) values[key] = await downloadWeight(gradient)
  const ids = batches.reduce((sum, batch) => sum + batch.ids.data.length, 0)
  return { loss, values, ids, packed: batches.some(({ starts }) => starts !== undefined) }
}

const norm = (values: Float32Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))

type Learnt = Awaited<ReturnType<typeof lossAndGradients>>

function expectSame(apart: Learnt, together: Learnt): void {
  expect([apart.packed, together.packed]).toEqual([false, true])
  expect(together.ids).toBeLessThan(apart.ids)
  expect(Math.abs(together.loss - apart.loss)).toBeLessThan(1e-5)
  for (const [key, gradient] of Object.entries(apart.values)) {
    const difference = norm(gradient.map((value, i) => value - together.values[key]![i]!))
    expect(difference, key).toBeLessThanOrEqual(1e-5 * Math.max(1, norm(gradient)))
  }
}

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
    const apart = await lossAndGradients(model, sequences, ownRows(sequences))
    const packed = await lossAndGradients(model, sequences, packedRows(sequences))
    expectSame(apart, packed)
  })
})

describe.each([
  ['qwen2', {}],
  ['llama3', {}],
  ['qwen3', { adapter: { rank: 4 } }],
])('%s', (name, options) => {
  it('learns from rollouts behind their common prompt what it learns from each by itself', async () => {
    const model = await loadModel(checkpointFolder(name), { slots: 1, ...options })
    open.push(model)
    const sequences = someRollouts(model)
    const rows = rolloutRows(sequences, model.config, 1000)
    expect(rows.map(({ shared }) => shared)).toContain(60)
    const apart = await lossAndGradients(model, sequences, ownRows(sequences))
    const together = await lossAndGradients(model, sequences, rows)
    expectSame(apart, together)
  })
})
