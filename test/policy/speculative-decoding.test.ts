import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ModelConfig } from '../../src/model/config.js'
import { disposeWeights } from '../../src/model/weights.js'
import type { Weights } from '../../src/model/weights.js'
import { decoderFor } from '../../src/policy/decoder-for.js'
import { decodingWeights } from '../../src/policy/decoding-weights.js'
import { graphDecoder } from '../../src/policy/graph-decoder.js'
import type { Decoder, DecodingType } from '../../src/policy/decoder.js'
import type { Generation, GenerationLimits, Sampling } from '../../src/policy/policy.js'
import { Scheduler } from '../../src/policy/scheduler.js'
import { uniform } from '../../src/random/seeded-random.js'
import { letterTokenizer, tinyConfig, tinyWeights } from '../tiny-model.js'

// With drafts checked, every conversation gets the tokens and log-probabilities that it gets without, bit for bit.

const config: ModelConfig = { ...tinyConfig, layers: 3, hiddenSize: 96, heads: 6, kvHeads: 2, headDim: 16 }
const architectures: Record<string, ModelConfig & { dtypes: DecodingType[] }> = {
  'a plain model': { ...config, dtypes: ['float32', 'bfloat16'] },
  'windows and soft caps': {
    ...config,
    attentionSoftCap: 5,
    logitSoftCap: 8,
    sliding: { window: 40, layers: [true, false, true], rope: { theta: 1000 } },
    dtypes: ['float32'],
  },
}
/** Ends now and then. */
const tokenizer = { ...letterTokenizer, eosIds: [40] }
const CONVERSATIONS = 9
const CONTEXT = 200
const samplingOf = (i: number): Sampling =>
  i % 2 === 0 ? { temperature: 0, topP: 1, topK: 0 } : { temperature: 0.8, topP: 0.9, topK: 8 }

const text = (i: number, length: number): number[] =>
  Array.from({ length }, (_, k) => 1 + Math.floor(uniform(i, k) * 30))

/** What a conversation is given, and how far it may go: some until the context is full, some until a stop string. */
function turnsOf(i: number): { ids: (before: number) => number[]; limits: GenerationLimits }[] {
  const stop = i % 3 === 0 ? ['A', 'K', 'Q', '5', 'x1'] : []
  // Most begin with what others begin with, which is copied.
  const prompt = [...text(100, 30), ...text(i, 1 + ((i * 37) % 60))]
  return [
    { ids: () => prompt, limits: { maxTokens: 5 + ((i * 11) % 40), stop } },
    { ids: () => text(i + 50, 1 + ((i * 53) % 50)), limits: { maxTokens: 1 + ((i * 17) % 30), stop } },
    // Some have room for a few ids behind it.
    { ids: (before) => text(i + 90, i % 3 === 1 ? CONTEXT - 6 - before : 1), limits: { maxTokens: 1000, stop } },
  ]
}

interface Played {
  generations: Generation[]
  /** All ids, prompts included. */
  ids: number[]
}

async function play(scheduler: Scheduler, i: number, wait: () => Promise<void>): Promise<Played> {
  const conversation = await scheduler.start(samplingOf(i), i)
  const played: Played = { generations: [], ids: [] }
  for (const { ids: given, limits } of turnsOf(i)) {
    const ids = given(played.ids.length)
    let seen: readonly number[] = []
    const generation = await conversation.generate(ids, limits, (now) => {
      expect(now.slice(0, seen.length)).toEqual(seen)
      seen = [...now]
    })
    expect(generation.ids.slice(0, seen.length)).toEqual(seen)
    played.generations.push(generation)
    played.ids.push(...ids, ...generation.ids)
    await wait()
  }
  conversation.end()
  return played
}

/** A decoder whose drafts are what will be drawn, up to a place of their own where they are wrong. */
function knowing(decoder: Decoder, wanted: readonly Played[], counts: { calls: number; tokens: number }): Decoder {
  const seedOf = new Map(wanted.map((_, i) => [uniform(i, 0), i]))
  return {
    ...decoder,
    async decode(state, rows, filled) {
      const known = rows.map((row) => {
        const { ids, chance } = row.draft
        const truth = wanted[seedOf.get(row.uniform(0))!]?.ids
        const right = Math.floor(uniform(row.position, counts.calls) * 9)
        const better = ids.map((id, k) => (k < right ? (truth?.[row.position + 1 + k] ?? id) : id))
        return { ...row, draft: { ids: better, chance } }
      })
      const drawn = await decoder.decode(state, known, filled)
      counts.calls += rows.length
      counts.tokens += drawn.reduce((sum, { tokens }) => sum + tokens.length, 0)
      return drawn
    },
  }
}

const atOnce = (): Promise<void> => Promise.resolve()
const each = Array.from({ length: CONVERSATIONS }, (_, i) => i)

describe.each(Object.entries(architectures))('speculative decoding: %s', (_, { dtypes, ...architecture }) => {
  let weights: Weights
  const make = (decoder: Decoder, slots: number, rows: number, dtype: DecodingType, promptLookup = true): Scheduler =>
    new Scheduler({
      config: architecture,
      weights: decodingWeights(weights, dtype),
      tokenizer,
      decoder,
      slots,
      rows,
      contextLength: CONTEXT,
      promptLookup,
    })
  beforeAll(async () => {
    weights = await tinyWeights(architecture, 5)
  })
  afterAll(() => disposeWeights(weights))

  it.each(dtypes)('gives the bits that decoding without drafts gives: %s', async (dtype) => {
    const decoder = graphDecoder({ config: architecture, vocabulary: 90 }, dtype)
    const alone = make(decoder, 1, 1, dtype, false)
    const wanted: Played[] = []
    for (const i of each) wanted.push(await play(alone, i, atOnce))
    alone.dispose()
    const reasons = wanted.flatMap(({ generations }) =>
      generations.flatMap(({ ids, stopReason }) => (ids.length > 0 ? [stopReason] : [])),
    )
    expect(new Set(reasons)).toEqual(new Set(['stop', 'eos', 'length', 'full']))
    for (const [slots, rows, knows] of [
      [1, 1, true],
      [3, 3, false],
      [9, 9, true],
      [9, 4, true],
    ] as const) {
      const counts = { calls: 0, tokens: 0 }
      const scheduler = make(knowing(decoder, knows ? wanted : [], counts), slots, rows, dtype)
      let calls = 0
      const late = (): Promise<void> => {
        const ms = slots === 1 ? 0 : uniform(slots, rows, calls++) * 20
        return new Promise((resolve) => setTimeout(resolve, ms))
      }
      // One that is ended while it speaks leaves its row, and what was guessed, to the next.
      const interrupted = (async () => {
        const conversation = await scheduler.start(samplingOf(1), 1000)
        const speaking = conversation.generate(text(7, 40), { maxTokens: 200, stop: [] })
        setTimeout(() => conversation.end(), 15)
        await speaking.catch(() => undefined)
        conversation.end()
      })()
      const got = await Promise.all(each.map((i) => play(scheduler, i, late)))
      await interrupted
      expect(got).toEqual(wanted)
      expect(counts.tokens / counts.calls).toBeGreaterThan(knows ? 1.15 : 1)
      scheduler.dispose()
    }
  })
})

describe('drafts', () => {
  it('end where the answer or the context does, and are none where they are not asked for or not checked', async () => {
    const weights = await tinyWeights(tinyConfig, 5)
    const options = {
      config: tinyConfig,
      vocabulary: 96,
      tokensPerCall: 4,
      prefillChunk: 16,
      dtype: 'float32',
    } as const
    const decoder = decoderFor({ ...options, slots: 5 })
    expect([decoder.checksDrafts, decoderFor({ ...options, slots: 4 }).checksDrafts]).toEqual([true, false])
    const lengths = async (checksDrafts: boolean, promptLookup: boolean, ids: number[], maxTokens: number) => {
      const drafts: [number, number][] = []
      const scheduler = new Scheduler({
        ...{ config: tinyConfig, tokenizer: letterTokenizer, slots: 5, rows: 5, contextLength: 60, promptLookup },
        weights: decodingWeights(weights, 'float32'),
        decoder: {
          ...decoder,
          checksDrafts,
          decode(state, rows, filled) {
            drafts.push(...rows.map(({ position, draft }): [number, number] => [position, draft.ids.length]))
            return decoder.decode(state, rows, filled)
          },
        },
      })
      const conversation = await scheduler.start({ temperature: 0, topP: 1, topK: 0 }, 1)
      await conversation.generate(ids, { maxTokens, stop: [] })
      scheduler.dispose()
      return drafts
    }
    const prompt = [...text(1, 20), ...text(1, 20)]
    expect((await lengths(true, true, prompt, 4))[0]).toEqual([39, 3])
    expect((await lengths(true, true, prompt, 1))[0]).toEqual([39, 0])
    const near = await lengths(true, true, [...prompt, ...text(1, 15)], 50)
    expect(near[0]).toEqual([54, 4])
    near.forEach(([position, length]) => expect(position + 1 + length).toBeLessThan(60))
    const none = [...(await lengths(true, false, prompt, 9)), ...(await lengths(false, true, prompt, 9))]
    none.forEach(([, length]) => expect(length).toBe(0))
    disposeWeights(weights)
  })
})
