// Work that holds a model, called by work that holds it already.
import { expect, test } from 'vitest'
import { whenFree } from '../../src/train/exclusive.js'
import { trainSupervised } from '../../src/train/supervised.js'
import { tinyPolicy } from './tiny-policy.js'

const model = {}

test(
  'work that would wait for its own caller is refused at once, however deep it is called',
  { timeout: 5000 },
  async () => {
    const inner = (): Promise<number> => whenFree('finetune', [model], () => Promise.resolve(1))
    const refusal =
      'finetune: must not be called by the training that holds the same model or folder, as in its onUpdate: each would wait ' +
      'for the other. Call it when the training has ended'
    await expect(whenFree('train', [model], inner)).rejects.toThrow(refusal)
    await expect(whenFree('train', [model], () => whenFree('train', [{}], inner))).rejects.toThrow(refusal)
    expect(await inner()).toBe(1)
  },
)

test('other models may be trained in it, and the same one after it, or from outside', async () => {
  const order: string[] = []
  const later = (): Promise<number> => whenFree('train', [model], () => Promise.resolve(order.push('later')))
  let afterwards: Promise<number> | undefined
  const outer = whenFree('train', [model], async () => {
    await whenFree('finetune', [{}], () => Promise.resolve(order.push('other')))
    // Its caller has let go by then.
    afterwards = new Promise((done) => setTimeout(() => done(later()), 20))
    order.push('end')
  })
  await later()
  await outer
  await afterwards
  expect(order).toEqual(['other', 'end', 'later', 'later'])
})

test('trainSupervised in its own onStep says so', { timeout: 20_000 }, async () => {
  const policy = await tinyPolicy(() => '')
  const options = {
    policy,
    steps: 1,
    batch: () => [{ ids: [1, 2, 3], tokenWeights: [0, 1, 1] }],
    learningRate: 1e-3,
    progress: false,
  }
  const nested = trainSupervised({ ...options, onStep: async () => void (await trainSupervised(options)) })
  await expect(nested).rejects.toThrow('trainSupervised: must not be called by the training that holds the same model')
  policy.dispose()
})
