// Supervised steps that meet a fault, another training of the same policy, or an adapter.
import { afterEach, expect, it, test, vi } from 'vitest'
import { adapterScale, newAdapter } from '../../src/model/adapter.js'
import { disposeWeights, downloadWeight, uploadCheckpoint } from '../../src/model/weights.js'
import type { Weights } from '../../src/model/weights.js'
import { native } from '../../src/tensor/runtime.js'
import type { Trainable } from '../../src/train/loss-function.js'
import { trainSupervised } from '../../src/train/supervised.js'
import type { SupervisedRecord } from '../../src/train/supervised.js'
import { letterTokenizer, tinyConfig, tinyWeights } from '../tiny-model.js'
import { failAfter } from './fail-after.js'

afterEach(() => vi.restoreAllMocks())

async function aPolicy(withAdapter: boolean): Promise<Trainable> {
  const weights = await tinyWeights(tinyConfig, 1)
  const base = { config: tinyConfig, weights, tokenizer: letterTokenizer }
  if (!withAdapter) return base
  const source = newAdapter(tinyConfig, { rank: 4 })
  const adapter = { ...source.settings, weights: await uploadCheckpoint(source) }
  return {
    ...base,
    config: { ...tinyConfig, lora: { scale: adapterScale(source.settings), dropout: source.settings.dropout } },
    adapter,
  }
}

const all = (weights: Weights): Promise<Float32Array[]> => Promise.all(Object.values(weights).map(downloadWeight))

/** Every weight, those of an adapter first. */
const everything = async ({ weights, adapter }: Trainable): Promise<Float32Array[][]> => [
  await all(adapter?.weights ?? {}),
  await all(weights),
]

/** Steps of two microbatches each. */
const steps = (policy: Trainable, count: number, onStep: () => void = () => undefined): Promise<SupervisedRecord[]> =>
  trainSupervised({
    ...{ policy, steps: count, learningRate: 1e-2, microbatchTokens: 8, bfloat16: false, progress: false, onStep },
    batch: (step) =>
      [5, 6].map((length) => ({
        ids: Array.from({ length }, (_, i) => 10 + ((7 * i + 3 * step + length) % 80)),
        tokenWeights: new Array<number>(length).fill(1),
      })),
  })

test.each([false, true])(
  'a call that fails in the second microbatch changes nothing (adapter: %s)',
  async (withAdapter) => {
    const policy = await aPolicy(withAdapter)
    const spared = await aPolicy(withAdapter)
    await steps(policy, 1)
    await steps(spared, 1)
    const before = await everything(policy)
    const held = native.getNumOfTensors()

    const faults = failAfter(4, 'supervised_loss')
    await expect(steps(policy, 3)).rejects.toThrow('RESOURCE_EXHAUSTED: a test')
    vi.restoreAllMocks()
    expect(faults.calls).toBe(4)
    // The first of the three steps was made.
    await steps(spared, 1)
    const after = await everything(policy)
    expect(after).toEqual(await everything(spared))
    expect(after).not.toEqual(before)
    expect(native.getNumOfTensors()).toBe(held)

    const [again, expected] = [await steps(policy, 1), await steps(spared, 1)]
    expect(again).toEqual(expected)
    expect(await everything(policy)).toEqual(await everything(spared))
    for (const { weights, adapter } of [policy, spared]) disposeWeights({ ...weights, ...adapter?.weights })
  },
)

it('two trainings of one policy follow one another', async () => {
  const policy = await aPolicy(false)
  const alone = await aPolicy(false)
  const seen: string[] = []
  const [first, second] = await Promise.all([
    steps(policy, 2, () => void seen.push('first')),
    steps(policy, 2, () => void seen.push('second')),
  ])
  expect(seen).toEqual(['first', 'first', 'second', 'second'])
  expect([first, second]).toEqual([await steps(alone, 2), await steps(alone, 2)])
  expect(await everything(policy)).toEqual(await everything(alone))
  for (const { weights } of [policy, alone]) disposeWeights(weights)
})

it('trains an adapter alone: what lies below it stays as it was', async () => {
  const policy = await aPolicy(true)
  const [adapter, base] = await everything(policy)
  await steps(policy, 2)
  const [trained, below] = await everything(policy)
  expect(below).toEqual(base)
  expect(trained).not.toEqual(adapter)
  disposeWeights({ ...policy.weights, ...policy.adapter!.weights })
})
