import { beforeAll, describe, expect, it } from 'vitest'
import { hiddenStates, unembed } from '../../src/model/forward.js'
import { readWeights } from '../../src/model/weights.js'
import type { Weights } from '../../src/model/weights.js'
import { decoderFor } from '../../src/policy/decoder-for.js'
import { decodingWeights } from '../../src/policy/decoding-weights.js'
import type { Sampling } from '../../src/policy/policy.js'
import { Scheduler } from '../../src/policy/scheduler.js'
import { compile, compileCount } from '../../src/tensor/compile.js'
import type { Traced } from '../../src/tensor/compile.js'
import { int32 } from '../../src/tensor/host-tensor.js'
import type { HostTensor } from '../../src/tensor/host-tensor.js'
import { argMax } from '../../src/tensor/ops.js'
import { targetLogprobs } from '../target-logprobs.js'
import { native } from '../../src/tensor/runtime.js'
import { letterTokenizer, tinyConfig, tinyWeights } from '../tiny-model.js'

const GREEDY: Sampling = { temperature: 0, topP: 1, topK: 0 }
const WARM: Sampling = { temperature: 1, topP: 1, topK: 0 }
const NO_STOP = { maxTokens: 20, stop: [] }

let weights: Weights
let scheduler: Scheduler
const make = (slots: number, rows = slots): Scheduler =>
  new Scheduler({
    config: tinyConfig,
    weights: decodingWeights(weights, 'float32'),
    tokenizer: letterTokenizer,
    decoder: decoderFor({
      config: tinyConfig,
      vocabulary: letterTokenizer.vocabSize,
      slots: 1,
      tokensPerCall: 4,
      prefillChunk: 16,
      dtype: 'float32',
    }),
    slots,
    rows,
    contextLength: 300,
    promptLookup: false,
  })

const wholeSequence = compile(
  'whole sequence',
  (inputs: Traced<{ ids: HostTensor; next: HostTensor }>, state: Weights) => {
    const values = readWeights(state)
    const hidden = hiddenStates(tinyConfig, values, inputs.ids).reshape([-1, tinyConfig.hiddenSize])
    const logits = unembed(tinyConfig, values, hidden)
    return { logprobs: targetLogprobs(logits, inputs.next), best: argMax(logits) }
  },
)

/** What the model says without a cache: of each next token its log-probability, and the likeliest token. */
async function recompute(ids: readonly number[]): Promise<{ logprobs: number[]; best: number[] }> {
  const result = await wholeSequence({ ids: int32(ids, [1, ids.length]), next: int32([...ids.slice(1), 0]) }, weights)
  return { logprobs: [...result.logprobs.data], best: [...result.best.data] }
}

const prompt = (i: number): number[] => letterTokenizer.encode(`question number ${i} ${'x'.repeat((i * 7) % 23)}`)

beforeAll(async () => {
  weights = await tinyWeights(tinyConfig, 3)
  scheduler = make(8)
})

describe('generation with a cache', () => {
  it('gives the tokens and log-probabilities of whole sequences, over several turns of different lengths', async () => {
    const conversations = await Promise.all(
      Array.from({ length: 8 }, (_, i) => scheduler.start(i % 2 ? WARM : GREEDY, i)),
    )
    const first = await Promise.all(
      conversations.map((c, i) => c.generate(prompt(i), { maxTokens: 9 + (i % 4), stop: [] })),
    )
    const more = conversations.map((_, i) => letterTokenizer.encode('and then?'.repeat(i % 4)))
    const second = await Promise.all(conversations.map((c, i) => c.generate(more[i]!, NO_STOP)))
    for (let i = 0; i < conversations.length; i++) {
      const start = prompt(i).length
      const again = start + first[i]!.ids.length + more[i]!.length
      const ids = [...prompt(i), ...first[i]!.ids, ...more[i]!, ...second[i]!.ids]
      const whole = await recompute(ids)
      const parts = [
        [start, first[i]!],
        [again, second[i]!],
      ] as const
      for (const [at, part] of parts) {
        part.logprobs.forEach((logprob, k) => expect(logprob).toBeCloseTo(whole.logprobs[at - 1 + k]!, 4))
        if (i % 2 === 0) expect(part.ids).toEqual(whole.best.slice(at - 1, at - 1 + part.ids.length))
      }
    }
    conversations.forEach((c) => c.end())
  })

  it('draws by seed and position alone: neither order nor company change a conversation', async () => {
    const alone = await scheduler.start(WARM, 77)
    const expected = await alone.generate(prompt(5), NO_STOP)
    alone.end()
    const others = await Promise.all([1, 2, 3].map((seed) => scheduler.start(WARM, seed)))
    const again = await scheduler.start(WARM, 77)
    const [result] = await Promise.all([
      again.generate(prompt(5), NO_STOP),
      ...others.map((c, i) => c.generate(prompt(i), NO_STOP)),
    ])
    expect(result.ids).toEqual(expected.ids)
    ;[again, ...others].forEach((c) => c.end())
  })

  it('compiles nothing more for new lengths, and leaks no handles', async () => {
    const run = async (seed: number): Promise<void> => {
      const conversation = await scheduler.start(WARM, seed)
      await conversation.generate(prompt(seed), { maxTokens: 1 + (seed % 13), stop: [] })
      conversation.end()
    }
    await run(1)
    const [count, handles] = [compileCount(), native.getNumOfTensors()]
    for (let seed = 2; seed < 30; seed++) await run(seed)
    expect(compileCount()).toBe(count)
    expect(native.getNumOfTensors()).toBe(handles)
  })

  it('keeps a conversation that waits apart from those that go on, and lends slots in turn', async () => {
    const small = make(2)
    const waits = await small.start(GREEDY, 1)
    const before = await waits.generate(prompt(1), NO_STOP)
    const runs = await small.start(WARM, 2)
    const third = small.start(WARM, 3)
    await runs.generate(prompt(2), { maxTokens: 150, stop: [] })
    runs.end()
    const late = await third
    await late.generate(prompt(3), { maxTokens: 40, stop: [] })
    late.end()
    const after = await waits.generate(letterTokenizer.encode('!'), NO_STOP)
    const ids = [...prompt(1), ...before.ids, letterTokenizer.encode('!')[0]!, ...after.ids]
    const whole = await recompute(ids)
    const at = prompt(1).length + before.ids.length + 1
    expect(after.ids).toEqual(whole.best.slice(at - 1, at - 1 + after.ids.length))
    waits.end()
    small.dispose()
  })

  it('spreads conversations over blocks, and each is what it is alone', async () => {
    const blocks = make(5, 2)
    const run = async (i: number, of: Scheduler): Promise<number[]> => {
      const conversation = await of.start(WARM, 40 + i)
      const { ids } = await conversation.generate(prompt(i), { maxTokens: 10 + 20 * i, stop: [] })
      conversation.end()
      return ids
    }
    const together = await Promise.all(Array.from({ length: 9 }, (_, i) => run(i, blocks)))
    for (let i = 0; i < 9; i++) expect(together[i]).toEqual(await run(i, scheduler))
    blocks.dispose()
  })

  it('ends at stop strings, keeping the token that completes one, at the limit, and when the context is full', async () => {
    const conversation = await scheduler.start(GREEDY, 1)
    const free = await conversation.generate(prompt(2), NO_STOP)
    conversation.end()
    const stop = free.text.slice(2, 5)
    const stopped = await scheduler.start(GREEDY, 1)
    const result = await stopped.generate(prompt(2), { maxTokens: 20, stop: [stop] })
    expect(result.stopReason).toBe('stop')
    expect(result.text).toBe(free.text.slice(0, free.text.indexOf(stop) + stop.length))
    expect(result.ids).toEqual(free.ids.slice(0, result.ids.length))
    stopped.end()
    const long = await scheduler.start(WARM, 4)
    const full = await long.generate(prompt(2), { maxTokens: 1000, stop: [] })
    expect(['full', 'eos']).toContain(full.stopReason)
    if (full.stopReason === 'full') expect(full.ids.length + prompt(2).length).toBe(300)
    long.end()
  })

  it('decodes no conversation that asks while others are prefilled, nor what a reused row held before', async () => {
    const small = make(3)
    const turns = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
    }
    const long = (i: number): number[] => letterTokenizer.encode(`${i} ${'long question '.repeat(5)}`)
    const expected = new Map<number, number[]>()
    for (let i = 0; i < 4; i++) {
      const conversation = await scheduler.start(GREEDY, i)
      expected.set(i, (await conversation.generate(long(i), NO_STOP)).ids)
      conversation.end()
    }
    for (let delay = 0; delay < 12; delay++) {
      const first = await small.start(GREEDY, 0)
      const ended = await small.start(GREEDY, 1)
      const running = first.generate(long(0), NO_STOP)
      const dropped = ended.generate(long(1), NO_STOP)
      const third = await small.start(GREEDY, 2)
      await turns(delay)
      const late = third.generate(long(2), NO_STOP)
      ended.end()
      await expect(dropped).rejects.toThrow('was ended while it was generating')
      // It gets the row that was just given back.
      const reused = await small.start(GREEDY, 3)
      const again = reused.generate(long(3), NO_STOP)
      expect((await running).ids).toEqual(expected.get(0))
      expect((await late).ids).toEqual(expected.get(2))
      expect((await again).ids).toEqual(expected.get(3))
      for (const conversation of [first, third, reused]) conversation.end()
    }
    small.dispose()
  })

  it('fails what runs and what waits when it is disposed, frees the cache, and starts nothing after', async () => {
    const handles = native.getNumOfTensors()
    const small = make(1)
    const conversation = await small.start(WARM, 1)
    const running = conversation.generate(prompt(1), { maxTokens: 200, stop: [] })
    const waiting = small.start(WARM, 2)
    const all = [
      expect(running).rejects.toThrow('generate: the model was disposed; load it again'),
      expect(waiting).rejects.toThrow('generate: the model was disposed'),
    ]
    await new Promise((resolve) => setTimeout(resolve, 5))
    small.dispose()
    await Promise.all(all)
    await expect(small.start(WARM, 3)).rejects.toThrow('disposed')
    expect(() => conversation.generate([1], NO_STOP)).toThrow('disposed')
    conversation.end()
    for (let i = 0; i < 100 && native.getNumOfTensors() > handles; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(native.getNumOfTensors()).toBe(handles)
  })

  it('says what is wrong with a call', async () => {
    const conversation = await scheduler.start(WARM, 1)
    expect(() => conversation.generate([1], { maxTokens: -3, stop: [] })).toThrow(
      'generate: maxTokens must be a positive integer, got -3',
    )
    expect(() => conversation.generate([1], { maxTokens: 1, stop: [''] })).toThrow(
      'generate: stop.0 must have a length',
    )
    await expect(scheduler.start({ ...WARM, temperature: NaN }, 1)).rejects.toThrow(
      'start a conversation: sampling.temperature must be 0 (greedy) or at least 0.001, got NaN',
    )
    expect(() => conversation.generate([96], NO_STOP)).toThrow('ids must be integers below 96 (the vocabulary), got 96')
    conversation.end()
    conversation.end()
    expect(() => conversation.generate([1], NO_STOP)).toThrow('the conversation has ended')
  })
})
