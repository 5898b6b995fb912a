import { afterEach, describe, expect, it } from 'vitest'
import type { ModelConfig } from '../../src/model/config.js'
import { expectedShapes } from '../../src/model/weight-names.js'
import { disposeWeights, zeroWeights } from '../../src/model/weights.js'
import type { Weights } from '../../src/model/weights.js'
import { NO_DRAFT } from '../../src/policy/drafts.js'
import { graphDecoder } from '../../src/policy/graph-decoder.js'
import { int32 } from '../../src/tensor/host-tensor.js'
import { native } from '../../src/tensor/runtime.js'
import { Variable } from '../../src/tensor/variable.js'
import { compileLoss } from '../../src/train/loss-function.js'
import type { Trainable } from '../../src/train/loss-function.js'
import { createOptimizer } from '../../src/train/optimizer.js'
import { letterTokenizer, tinyConfig } from '../tiny-model.js'

/** The shapes of a model of 3 billion weights. */
const config: ModelConfig = {
  ...tinyConfig,
  ...{ vocabSize: 151_936, hiddenSize: 2048, layers: 36, heads: 16, kvHeads: 2, headDim: 128 },
  ...{ intermediateSize: 11_008, maxPositions: 32_768 },
}
const vocabulary = 151_665
const TOKENS = 4096

const open: Weights[] = []
afterEach(() => open.splice(0).forEach(disposeWeights))

/** Variables without values take no memory: a function is traced, and fails when it reads them. */
function withoutValues(shapes: Record<string, readonly number[]>): Weights {
  const variables = Object.fromEntries(Object.entries(shapes).map(([key, shape]) => [key, new Variable(shape)]))
  open.push(variables)
  return variables
}

/** Bytes of the largest constant of all functions that are traced meanwhile. */
async function largestConstant(work: () => Promise<unknown>): Promise<number> {
  const addOp = native.addOp.bind(native)
  let largest = 0
  const watched = (...all: Parameters<typeof addOp>): ReturnType<typeof addOp> => {
    const constant = all[1] === 'Const' && all[2].find(({ name }) => name === 'value')
    if (constant) largest = Math.max(largest, (constant.value as { values: ArrayBufferView }).values.byteLength)
    return addOp(...all)
  }
  Object.defineProperty(native, 'addOp', { configurable: true, value: watched })
  try {
    await work()
  } finally {
    Object.defineProperty(native, 'addOp', { configurable: true, value: addOp })
  }
  expect(largest).toBeGreaterThan(0)
  return largest
}

const traced = (work: Promise<unknown>): Promise<void> => expect(work).rejects.toThrow(/uninitialized/i)

describe('with the shapes of 3 billion weights and 4,096 tokens nothing above 1 MB is frozen into', () => {
  it('a loss with its gradients', async () => {
    const state = {
      trainable: withoutValues(expectedShapes(config)),
      frozen: {},
      gradients: withoutValues(expectedShapes(config)),
    }
    const model = { config, weights: state.trainable, tokenizer: { ...letterTokenizer, vocabSize: vocabulary } }
    const accumulate = compileLoss('loss', model as Trainable, { temperature: 1, bfloat16: false }, ({ logprobs }) => ({
      loss: logprobs.sum(),
      metrics: {},
    }))
    const places = int32(Int32Array.from({ length: TOKENS }, (_, i) => i))
    const ids = int32(places.data, [1, TOKENS])
    expect(
      await largestConstant(() => traced(accumulate({ ids, logitRows: places, targets: places }, state))),
    ).toBeLessThan(1e6)
    accumulate.dispose()
  })

  it('reading a prompt and sampling', async () => {
    const decoder = graphDecoder({ config, vocabulary })
    const shape = [8, config.kvHeads, TOKENS, config.headDim]
    const caches = (name: string): Variable[] =>
      Object.values(
        withoutValues(Object.fromEntries(Array.from({ length: config.layers }, (_, i) => [`${name}${i}`, shape]))),
      )
    const state = { weights: withoutValues(expectedShapes(config)), keys: caches('k'), values: caches('v') }
    const ids = Array.from({ length: TOKENS }, (_, i) => i)
    expect(
      await largestConstant(async () => {
        await traced(decoder.prefill(state, [{ slot: 0, position: 0, ids }]))
        for (const sampling of [
          { temperature: 1, topP: 1, topK: 0 },
          { temperature: 1, topP: 0.9, topK: 50 },
        ]) {
          const row = { slot: 0, token: 1, position: TOKENS - 1, sampling, uniform: () => 0.5, draft: NO_DRAFT }
          await traced(decoder.decode(state, [row], new Array<number>(8).fill(0)))
        }
      }),
    ).toBeLessThan(1e6)
  })

  it.each(['float32', '8-bit'] as const)('a step of AdamW on one of its matrices, states in %s', async (states) => {
    const weights = await zeroWeights(withoutValues({ 'q.weight': [2048, 2048] }))
    open.push(weights)
    expect(
      await largestConstant(async () => {
        const optimizer = await createOptimizer(weights, { weightDecay: 0.1, optimizerStates: states })
        await optimizer.step(1e-3)
        optimizer.dispose()
      }),
    ).toBeLessThan(1e6)
  })
})
