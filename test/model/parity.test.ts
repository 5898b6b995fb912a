import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hiddenStates, unembed } from '../../src/model/forward.js'
import { readWeights } from '../../src/model/weights.js'
import type { Weights } from '../../src/model/weights.js'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { compile } from '../../src/tensor/compile.js'
import type { Traced } from '../../src/tensor/compile.js'
import { int32 } from '../../src/tensor/host-tensor.js'
import type { HostTensor } from '../../src/tensor/host-tensor.js'
import { CHECKPOINTS, checkpointFolder, decodeArray, largestDifference, readGolden } from './fixtures.js'

describe.each(CHECKPOINTS)('%s against transformers', (name) => {
  const golden = readGolden(name)
  let policy: LocalModel

  beforeAll(async () => {
    policy = await loadModel(checkpointFolder(name), {
      slots: 4,
      contextLength: 64,
      tokensPerCall: 4,
      prefillChunk: 8,
    })
  }, 120_000)

  afterAll(() => policy?.dispose())

  it('gives the logits of a left-padded batch', async () => {
    const { ids, starts } = golden.batch
    const expected = decodeArray(golden.batch.logits)
    const [rows, time, vocabulary] = expected.shape as [number, number, number]
    const forward = compile(
      'logits',
      ({ ids, starts }: Traced<{ ids: HostTensor; starts: HostTensor }>, state: Weights) => {
        const weights = readWeights(state)
        const hidden = hiddenStates(policy.config, weights, ids, starts)
        return { logits: unembed(policy.config, weights, hidden.reshape([rows * time, policy.config.hiddenSize])) }
      },
    )
    const { logits } = await forward({ ids: int32(ids.flat(), [rows, time]), starts: int32(starts) }, policy.weights)
    forward.dispose()
    expect(logits.shape).toEqual([rows * time, vocabulary])
    for (let row = 0; row < rows; row++) {
      const from = (row * time + starts[row]!) * vocabulary
      const to = (row + 1) * time * vocabulary
      expect(largestDifference(logits.data.subarray(from, to), expected.data.subarray(from, to))).toBeLessThan(1e-4)
    }
  })

  it('gives the logits of single rows', async () => {
    const forward = compile('logits', ({ ids }: Traced<{ ids: HostTensor }>, state: Weights) => {
      const weights = readWeights(state)
      const hidden = hiddenStates(policy.config, weights, ids)
      return { logits: unembed(policy.config, weights, hidden.reshape([ids.shape[1]!, policy.config.hiddenSize])) }
    })
    for (const { ids, logits: encoded } of golden.rows) {
      const expected = decodeArray(encoded)
      const { logits } = await forward({ ids: int32(ids, [1, ids.length]) }, policy.weights)
      expect(logits.shape).toEqual(expected.shape)
      expect(largestDifference(logits.data, expected.data)).toBeLessThan(1e-4)
    }
    forward.dispose()
  })

  it('decodes the same greedy ids, all prompts side by side', { timeout: 120_000 }, async () => {
    const sampling = { temperature: 0, topP: 1, topK: 0 }
    const generations = golden.greedy.map(async ({ prompt, ids }) => {
      const conversation = await policy.start(sampling, 1)
      const generation = await conversation.generate(prompt, { maxTokens: ids.length, stop: [] })
      conversation.end()
      return generation.ids
    })
    expect(await Promise.all(generations)).toEqual(golden.greedy.map(({ ids }) => ids))
  })
})
