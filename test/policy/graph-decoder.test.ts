import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ModelConfig } from '../../src/model/config.js'
import { disposeWeights } from '../../src/model/weights.js'
import type { Weights } from '../../src/model/weights.js'
import { decodingWeights } from '../../src/policy/decoding-weights.js'
import { graphDecoder } from '../../src/policy/graph-decoder.js'
import type { DecodingType } from '../../src/policy/decoder.js'
import type { Generation, Sampling } from '../../src/policy/policy.js'
import { Scheduler } from '../../src/policy/scheduler.js'
import { xlaDecoder } from '../../src/policy/xla-decoder.js'
import { uniform } from '../../src/random/seeded-random.js'
import { compileCount } from '../../src/tensor/compile.js'
import { letterTokenizer, tinyConfig, tinyWeights } from '../tiny-model.js'

// The decoder of large models, on small ones.

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

const atOnce = (): Promise<void> => Promise.resolve()

describe.each(Object.entries(architectures))('the decoder of plain functions: %s', (_, architecture) => {
  let weights: Weights
  const decoder = graphDecoder({ config: architecture, vocabulary: 90 })
  const make = (slots: number, of = decoder, dtype: DecodingType = 'float32'): Scheduler =>
    new Scheduler({
      config: architecture,
      weights: decodingWeights(weights, dtype),
      tokenizer: letterTokenizer,
      decoder: of,
      slots,
      rows: slots,
      contextLength: 400,
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
      for (const [round, slots] of [10, 3, 7].entries()) {
        const scheduler = make(slots, own, dtype)
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
