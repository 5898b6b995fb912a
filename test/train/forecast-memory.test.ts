import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { newAdapter } from '../../src/model/adapter.js'
import { addedBytes, modelledMemory, refuseWhatCannotFit, remediesFor } from '../../src/train/forecast-memory.js'
import type { RunMemory } from '../../src/train/forecast-memory.js'
import { tinyConfig } from '../tiny-model.js'

const config = {
  ...{ ...tinyConfig, layers: 30, vocabSize: 49_152, hiddenSize: 576, heads: 9, kvHeads: 3, headDim: 64 },
  ...{ intermediateSize: 1536, maxPositions: 8192 },
}
/** Made of one id, so that it shares its prompt with no other. */
const sequence = (length: number, id: number): { ids: number[]; trained: number[] } => ({
  ids: new Array<number>(length).fill(id),
  trained: Array.from({ length: Math.floor(length / 2) }, (_, i) => Math.ceil(length / 2) + i),
})
const run: RunMemory = {
  setup: { config, optimizerStates: 'float32', reference: 'float32', bfloat16: false },
  microbatchTokens: 4096,
  slots: 16,
  sequences: Array.from({ length: 16 }, (_, i) => sequence(500, i)),
  shortest: 100,
}
const needed = addedBytes(modelledMemory(run))

describe('what makes a run fit', () => {
  it('is nothing where it fits', () => {
    expect(() => refuseWhatCannotFit(run, needed, 'so')).not.toThrow()
    expect(() => refuseWhatCannotFit(run, needed - 1, 'so')).toThrow('cannot fit')
    expect(() => refuseWhatCannotFit(run, Infinity, 'so')).not.toThrow()
  })

  it('is the smallest change of each option that is enough, those that cost least first', () => {
    const text = remediesFor(run, needed - 1)
    expect(text).toBe(
      "It fits with microbatchTokens: 2048, or with optimizerStates: '8-bit', or with reference: 'bfloat16', " +
        "or with loadModel's slots: 8, or with loadModel's adapter: {}, or with loadModel's contextLength: 250.",
    )
  })

  it("is also PPO's critic on the policy itself", () => {
    const ppo = { ...run, setup: { ...run.setup, critic: true } }
    expect(remediesFor(ppo, needed)).toBe("It fits with critic: { shared: true }, or with loadModel's adapter: {}.")
  })

  it('is several together where one is not enough', () => {
    // How small depends on the machine's memory, of which a share keeps products (trained-layers.ts).
    expect(remediesFor(run, needed - 2.5e9)).toMatch(
      /^It fits with all of these: microbatchTokens: (2048|1024|512), loadModel's adapter: {}\.$/,
    )
  })

  it.each([1.5e9, 2.2e9, 2.5e9, 2.8e9, 3.1e9])('is enough, whatever is said: %i bytes too many', (excess) => {
    const free = needed - excess
    const text = remediesFor(run, free)
    const number = (name: string): number | undefined => {
      const found = new RegExp(`${name}: (\\d+)`).exec(text)?.[1]
      return found === undefined ? undefined : Number(found)
    }
    // Of alternatives, the first alone.
    if (!text.startsWith('It fits with all')) return expect(text).toMatch(/^It fits with/)
    const length = number('contextLength') ?? 500
    const changed: RunMemory = {
      ...run,
      setup: {
        ...run.setup,
        optimizerStates: text.includes('8-bit') ? '8-bit' : 'float32',
        reference: text.includes('adapter') ? 'none' : text.includes('bfloat16') ? 'bfloat16' : 'float32',
        ...(text.includes('adapter') && { trained: newAdapter(config, {}).parameters }),
      },
      microbatchTokens: number('microbatchTokens') ?? run.microbatchTokens,
      slots: number('slots') ?? run.slots,
      sequences: run.sequences.map((_, i) => sequence(length, i)),
    }
    expect(addedBytes(modelledMemory(changed))).toBeLessThanOrEqual(free)
  })

  it('is a smaller model where nothing else helps', () => {
    expect(remediesFor(run, 1e6)).toMatch(/^No option makes it fit .* take a smaller model/)
  })

  it('names no option that has been taken already', () => {
    const saving: RunMemory = { ...run, setup: { ...run.setup, optimizerStates: '8-bit', reference: 'bfloat16' } }
    const text = remediesFor(saving, addedBytes(modelledMemory(saving)) - 1)
    expect(text).not.toContain('8-bit')
    expect(text).not.toContain('bfloat16')
  })
})

it('memory grows with every dimension that it is about', () => {
  const positive = fc.integer({ min: 1, max: 40 })
  fc.assert(
    fc.property(positive, positive, positive, (count, slots, length) => {
      const bytes = (count: number, slots: number, length: number): number =>
        addedBytes(
          modelledMemory({
            ...run,
            slots,
            sequences: Array.from({ length: count }, (_, i) => sequence(10 * length, i)),
          }),
        )
      const now = bytes(count, slots, length)
      expect(bytes(count + 1, slots, length)).toBeGreaterThanOrEqual(now)
      expect(bytes(count, slots + 1, length)).toBeGreaterThanOrEqual(now)
      expect(bytes(count, slots, length * 2)).toBeGreaterThan(now)
    }),
  )
})
