import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ModelConfig } from '../../src/model/config.js'
import { disposeWeights, downloadWeight, setWeight } from '../../src/model/weights.js'
import type { Weights } from '../../src/model/weights.js'
import { decodingWeights } from '../../src/policy/decoding-weights.js'
import { graphDecoder } from '../../src/policy/graph-decoder.js'
import type { Decoder, DecodingType } from '../../src/policy/decoder.js'
import type { Generation, Sampling } from '../../src/policy/policy.js'
import { Scheduler } from '../../src/policy/scheduler.js'
import { xlaDecoder } from '../../src/policy/xla-decoder.js'
import { uniform } from '../../src/random/seeded-random.js'
import { compileCount } from '../../src/tensor/compile.js'
import { letterTokenizer, tinyConfig, tinyWeights } from '../tiny-model.js'

// The decoder of large models, and of small ones with many slots.

const WARM: Sampling = { temperature: 0.8, topP: 1, topK: 0 }
const config: ModelConfig = { ...tinyConfig, layers: 3, hiddenSize: 96, heads: 6, kvHeads: 2, headDim: 16 }
const architectures: Record<string, ModelConfig> = {
  'a plain model': config,
  'windows, soft caps and output norms': {
    ...config,
    attentionSoftCap: 5,
    logitSoftCap: 8,
    outputNorms: true,
    sliding: { window: 40, layers: [true, false, true], rope: { theta: 1000 } },
  },
}

const text = (i: number, length: number): number[] =>
  letterTokenizer.encode(Array.from({ length }, (_, k) => String.fromCharCode(33 + ((k * 7 + i * 13) % 60))).join(''))

/** Two turns with a search between them. Conversation i has lengths of its own. */
async function converse(
  scheduler: Scheduler,
  i: number,
  sampling: Sampling,
  wait: () => Promise<void>,
): Promise<Generation[]> {
  const conversation = await scheduler.start(sampling, i)
  const turns: Generation[] = []
  for (const length of [20 + ((i * 37) % 90), 1 + ((i * 53) % 120)]) {
    turns.push(await conversation.generate(text(i, length), { maxTokens: 5 + ((i * 11) % 40), stop: [] }))
    await wait()
  }
  conversation.end()
  return turns
}

/** Slots, and how many of them share a cache: several caches are served side by side. */
const ROUNDS: [number, number][] = [
  [10, 10],
  [3, 3],
  [7, 7],
  [10, 2],
  [10, 5],
  [5, 1],
]

const atOnce = (): Promise<void> => Promise.resolve()

describe.each(Object.entries(architectures))('the decoder of plain functions: %s', (_, architecture) => {
  let weights: Weights
  const decoder = graphDecoder({ config: architecture, vocabulary: 90 })
  const make = (slots: number, of = decoder, dtype: DecodingType = 'float32', rows = slots): Scheduler =>
    new Scheduler({
      config: architecture,
      weights: decodingWeights(weights, dtype),
      tokenizer: letterTokenizer,
      decoder: of,
      slots,
      rows,
      contextLength: 400,
      promptLookup: false,
    })
  beforeAll(async () => {
    weights = await tinyWeights(architecture, 5)
  })
  afterAll(() => disposeWeights(weights))

  it.each(['float32', 'bfloat16'] as const)(
    'gives a conversation the same bits alone, in company, and with any latency: %s',
    async (dtype) => {
      const own = graphDecoder({ config: architecture, vocabulary: 90 }, dtype)
      const alone = make(1, own, dtype)
      const wanted: Generation[][] = []
      for (let i = 0; i < 10; i++) wanted.push(await converse(alone, i, WARM, atOnce))
      alone.dispose()
      for (const [round, [slots, rows]] of ROUNDS.entries()) {
        const scheduler = make(slots, own, dtype, rows)
        let calls = 0
        const late = (): Promise<void> => {
          const ms = round === 0 ? 0 : uniform(round, calls++) * 40
          return new Promise((resolve) => setTimeout(resolve, ms))
        }
        const got = await Promise.all(wanted.map((__, i) => converse(scheduler, i, WARM, late)))
        expect(got).toEqual(wanted)
        scheduler.dispose()
      }
    },
  )

  it('reads a common prompt once, and gives the bits that reading it again gives', async () => {
    const prompt = text(1, 150)
    const begin = (i: number): number[] => [...prompt, ...text(i, 3 + i)]
    /** Two groups that have a prompt in common, with a search between turns. */
    const play = async (scheduler: Scheduler, i: number, wait: () => Promise<void>): Promise<Generation[]> => {
      const conversation = await scheduler.start(WARM, i)
      const turns: Generation[] = []
      for (const ids of [begin(i % 2), text(i, 30)]) {
        turns.push(await conversation.generate(ids, { maxTokens: 12, stop: [] }))
        await wait()
      }
      conversation.end()
      return turns
    }
    const each = Array.from({ length: 8 }, (_, i) => i)
    const wanted: Generation[][] = []
    for (const i of each) {
      // A cache of its own has nothing to copy.
      const alone = make(1)
      wanted.push(await play(alone, i, atOnce))
      alone.dispose()
    }
    for (const slots of [8, 3]) {
      let read = 0
      const counted: Decoder = {
        ...decoder,
        async prefill(state, unread) {
          const counts = await decoder.prefill(state, unread)
          read += counts.reduce((sum, count) => sum + count, 0)
          return counts
        },
      }
      const scheduler = make(slots, counted)
      let calls = 0
      const late = () => new Promise<void>((resolve) => setTimeout(resolve, uniform(slots, calls++) * 30))
      expect(await Promise.all(each.map((i) => play(scheduler, i, late)))).toEqual(wanted)
      // Prompts but for the common part, and observations, each but for the last id, which decoding reads. What was said
      // before an observation is not read again, but for its last id.
      const ownParts = each.reduce((sum, i) => sum + (begin(i % 2).length - 1 - prompt.length) + text(i, 30).length, 0)
      expect(read).toBeLessThanOrEqual(prompt.length + ownParts)
      scheduler.dispose()
    }
  })

  it('copies nothing of what earlier weights have read', async () => {
    const scheduler = make(4)
    const play = async (of: Scheduler): Promise<Generation> => {
      const conversation = await of.start(WARM, 1)
      const generation = await conversation.generate(text(1, 60), { maxTokens: 8, stop: [] })
      conversation.end()
      return generation
    }
    await play(scheduler)
    const key = 'layers.0.k.weight'
    const before = await downloadWeight(weights[key]!)
    await setWeight(
      weights[key]!,
      before.map((value) => -value),
    )
    const fresh = make(1)
    const wanted = await play(fresh)
    expect(await play(scheduler)).toEqual(wanted)
    await setWeight(weights[key]!, before)
    expect(await play(scheduler)).not.toEqual(wanted)
    fresh.dispose()
    scheduler.dispose()
  })

  it.each([WARM, { temperature: 0, topP: 0.9, topK: 5 }])(
    'gives the tokens of the decoder that XLA compiles, sampling %j',
    async (sampling) => {
      const one = make(2)
      const other = make(2, xlaDecoder({ config: architecture, vocabulary: 90 }, 1, 32))
      for (let i = 0; i < 2; i++) {
        const [got, wanted] = [await converse(one, i, sampling, atOnce), await converse(other, i, sampling, atOnce)]
        expect(got.map(({ ids }) => ids)).toEqual(wanted.map(({ ids }) => ids))
        const logprobs = (turns: Generation[]): number[] => turns.flatMap((turn) => turn.logprobs)
        const gaps = logprobs(got).map((logprob, t) => Math.abs(logprob - logprobs(wanted)[t]!))
        expect(Math.max(...gaps)).toBeLessThan(1e-4)
      }
      one.dispose()
      other.dispose()
    },
  )

  it('traces nothing anew when a cache grows', async () => {
    const scheduler = make(2)
    const say = async (length: number): Promise<void> => {
      const conversation = await scheduler.start(WARM, 1)
      await conversation.generate(text(1, length), { maxTokens: 2, stop: [] })
      conversation.end()
    }
    // What makes a cache wider is traced once, for all models.
    const other = make(1)
    const first = await other.start(WARM, 1)
    for (let turn = 0; turn < 2; turn++) await first.generate(text(turn, 90), { maxTokens: 2, stop: [] })
    other.dispose()
    await say(100)
    const count = compileCount()
    await say(120)
    const talk = await scheduler.start(WARM, 2)
    for (let turn = 0; turn < 3; turn++) await talk.generate(text(turn, 90), { maxTokens: 2, stop: [] })
    expect(compileCount()).toBe(count)
    scheduler.dispose()
  })
})
