import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hiddenStates, unembed } from '../../src/model/forward.js'
import { disposeWeights, readWeights } from '../../src/model/weights.js'
import type { Weights } from '../../src/model/weights.js'
import { decodingWeights } from '../../src/policy/decoding-weights.js'
import { graphDecoder } from '../../src/policy/graph-decoder.js'
import type { Conversation, Sampling } from '../../src/policy/policy.js'
import { Scheduler } from '../../src/policy/scheduler.js'
import { xlaDecoder } from '../../src/policy/xla-decoder.js'
import { compile, compileCount } from '../../src/tensor/compile.js'
import type { Traced } from '../../src/tensor/compile.js'
import { int32 } from '../../src/tensor/host-tensor.js'
import type { HostTensor } from '../../src/tensor/host-tensor.js'
import { native } from '../../src/tensor/runtime.js'
import { letterTokenizer, tinyConfig, tinyWeights } from '../tiny-model.js'

const GREEDY: Sampling = { temperature: 0, topP: 1, topK: 0 }
const WARM: Sampling = { temperature: 0.7, topP: 0.9, topK: 5 }
/** The last six rows of the embedding are padding. */
const VOCABULARY = 90
const tokenizer = { ...letterTokenizer, vocabSize: VOCABULARY, eosIds: [] }

const decoders = {
  'plain functions': graphDecoder({ config: tinyConfig, vocabulary: VOCABULARY }),
  XLA: xlaDecoder({ config: tinyConfig, vocabulary: VOCABULARY }, 4, 16),
}

const wholeLogits = compile('whole logits', ({ ids }: Traced<{ ids: HostTensor }>, state: Weights) => {
  const values = readWeights(state)
  return {
    logits: unembed(tinyConfig, values, hiddenStates(tinyConfig, values, ids).reshape([-1, tinyConfig.hiddenSize])),
  }
})

const text = (i: number, length: number): number[] =>
  letterTokenizer.encode(Array.from({ length }, (_, k) => String.fromCharCode(33 + ((k * 7 + i * 13) % 60))).join(''))

const likeliest = (logprobs: Float32Array): number => logprobs.indexOf(Math.max(...logprobs))

describe.each(Object.entries(decoders))('what may come next, by %s', (_, decoder) => {
  let weights: Weights
  let scheduler: Scheduler

  /** Without a cache, in double precision from the logits on. */
  async function recompute(ids: readonly number[]): Promise<number[]> {
    const { logits } = await wholeLogits({ ids: int32(ids, [1, ids.length]) }, weights)
    const last = [...logits.data.slice((ids.length - 1) * tinyConfig.vocabSize)].slice(0, VOCABULARY)
    const total = last.reduce((sum, logit) => sum + Math.exp(logit), 0)
    return last.map((logit) => logit - Math.log(total))
  }

  beforeAll(async () => {
    weights = await tinyWeights(tinyConfig, 3)
    scheduler = new Scheduler({
      ...{ config: tinyConfig, tokenizer, decoder, slots: 4, rows: 4, contextLength: 200, promptLookup: false },
      weights: decodingWeights(weights, 'float32'),
    })
  })

  afterAll(() => {
    scheduler.dispose()
    disposeWeights(weights)
  })

  it('is the whole sequence’s distribution, over the vocabulary alone, piece by piece', async () => {
    const conversation = await scheduler.start(WARM, 0)
    const ids: number[] = []
    for (const length of [40, 1, 1, 0, 25, 2]) {
      const more = text(length, length)
      ids.push(...more)
      const logprobs = await conversation.nextLogprobs!(more)
      expect(logprobs).toHaveLength(VOCABULARY)
      const expected = await recompute(ids)
      logprobs.forEach((logprob, id) => expect(logprob).toBeCloseTo(expected[id]!, 4))
      expect(logprobs.reduce((sum, logprob) => sum + Math.exp(logprob), 0)).toBeCloseTo(1, 4)
    }
    conversation.end()
  })

  it('taken greedily it writes what generation writes, and both may alternate', async () => {
    const alone = await scheduler.start(GREEDY, 0)
    const written = await alone.generate(text(1, 30), { maxTokens: 20, stop: [] })
    alone.end()
    const conversation = await scheduler.start(GREEDY, 0)
    const ids: number[] = []
    const logprobs: number[] = []
    let next = text(1, 30)
    while (ids.length < 20) {
      if (ids.length % 7 === 3) {
        const some = await conversation.generate(next, { maxTokens: 3, stop: [] })
        ids.push(...some.ids)
        logprobs.push(...some.logprobs)
        next = []
        continue
      }
      const distribution = await conversation.nextLogprobs!(next)
      const id = likeliest(distribution)
      ids.push(id)
      logprobs.push(distribution[id]!)
      next = [id]
    }
    conversation.end()
    expect(ids.slice(0, 20)).toEqual(written.ids)
    written.logprobs.forEach((logprob, i) => expect(logprobs[i]).toBeCloseTo(logprob, 4))
  })

  it('disturbs no one beside it, and is disturbed by no one', async () => {
    const play = async (seed: number): Promise<number[]> => {
      const conversation = await scheduler.start(GREEDY, seed)
      const { ids } = await conversation.generate(text(seed, 11 * seed), { maxTokens: 25, stop: [] })
      conversation.end()
      return ids
    }
    const look = async (seed: number): Promise<Float32Array[]> => {
      const conversation = await scheduler.start(GREEDY, seed)
      const found: Float32Array[] = []
      for (let i = 0; i < 12; i++) found.push(await conversation.nextLogprobs!(text(seed + i, i === 0 ? 50 : 1)))
      conversation.end()
      return found
    }
    const alone = [await play(1), await play(2)]
    const seen = await look(5)
    const [one, two, ...looks] = await Promise.all([play(1), play(2), look(5), look(5)])
    expect([one, two]).toEqual(alone)
    for (const again of looks)
      again.forEach((logprobs, i) => logprobs.forEach((x, id) => expect(x).toBeCloseTo(seen[i]![id]!, 4)))
  })

  it('compiles nothing more for new lengths, and leaks no handles', async () => {
    const run = async (length: number): Promise<void> => {
      const conversation = await scheduler.start(GREEDY, length)
      await conversation.nextLogprobs!(text(length, length))
      await conversation.nextLogprobs!([3])
      conversation.end()
    }
    for (const length of [5, 32]) await run(length)
    // The second one copies what the first one reads.
    await Promise.all([run(90), run(90)])
    const [count, handles] = [compileCount(), native.getNumOfTensors()]
    for (const length of [6, 17, 31, 80, 100]) await run(length)
    expect([compileCount(), native.getNumOfTensors()]).toEqual([count, handles])
  })

  it('refuses what it cannot tell', async () => {
    const conversation = await scheduler.start(GREEDY, 0)
    const refused = (call: Promise<unknown>, message: string): Promise<void> => expect(call).rejects.toThrow(message)
    await refused(
      conversation.nextLogprobs!([]),
      'next log-probabilities: a conversation must begin with at least one id',
    )
    await refused(conversation.nextLogprobs!([VOCABULARY]), 'ids must be integers below 90')
    await refused(conversation.nextLogprobs!(text(0, 201)), 'must hold at most 200 ids (the context), got 201')
    const first = conversation.nextLogprobs!(text(0, 200))
    await refused(conversation.nextLogprobs!([]), 'is generating already')
    expect(await first).toHaveLength(VOCABULARY)
    conversation.end()
    await refused(conversation.nextLogprobs!([1]), 'the conversation has ended')
  })

  it('is given up where the conversation ends, and others go on', async () => {
    const [ended, other] = (await Promise.all([1, 2].map((seed) => scheduler.start(GREEDY, seed)))) as [
      Conversation,
      Conversation,
    ]
    const waiting = ended.nextLogprobs!(text(1, 60))
    const going = other.nextLogprobs!(text(2, 60))
    ended.end()
    await expect(waiting).rejects.toThrow('ended while it was generating')
    expect(await going).toHaveLength(VOCABULARY)
    other.end()
  })
})
