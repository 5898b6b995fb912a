import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addedBytes, modelledMemory, refuseWhatCannotFit, remediesFor } from '../../src/train/forecast-memory.js'
import type { RunMemory } from '../../src/train/forecast-memory.js'
import { tinyConfig } from '../tiny-model.js'

const config = {
  ...{ ...tinyConfig, layers: 30, vocabSize: 49_152, hiddenSize: 576, heads: 9, kvHeads: 3, headDim: 64 },
  ...{ intermediateSize: 1536, maxPositions: 8192 },
}
const sequence = (length: number): { ids: number[]; trained: number[] } => ({
  ids: new Array<number>(length).fill(0),
  trained: Array.from({ length: Math.floor(length / 2) }, (_, i) => length - 1 - i),
})
const run: RunMemory = {
  setup: { config, optimizerStates: 'float32', reference: 'float32', bfloat16: false },
  microbatchTokens: 4096,
  slots: 16,
  sequences: Array.from({ length: 16 }, () => sequence(500)),
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
        "or with loadModel's slots: 8, or with loadModel's contextLength: 250.",
    )
  })

  it('is several together where one is not enough', () => {
    const text = remediesFor(run, needed - 2e9)
    expect(text).toMatch(/^It fits with all of these: microbatchTokens: 500, optimizerStates: '8-bit'/)
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
          modelledMemory({ ...run, slots, sequences: Array.from({ length: count }, () => sequence(10 * length)) }),
        )
      const now = bytes(count, slots, length)
      expect(bytes(count + 1, slots, length)).toBeGreaterThanOrEqual(now)
      expect(bytes(count, slots + 1, length)).toBeGreaterThanOrEqual(now)
      expect(bytes(count, slots, length * 2)).toBeGreaterThan(now)
    }),
  )
})
