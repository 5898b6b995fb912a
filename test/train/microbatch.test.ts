import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { disposeWeights } from '../../src/model/weights.js'
import { createRandom } from '../../src/random/seeded-random.js'
import { compileCount } from '../../src/tensor/compile.js'
import { paddedSize, perTarget, toMicrobatches } from '../../src/train/microbatch.js'
import type { Sequence } from '../../src/train/rows.js'
import { trainSupervised } from '../../src/train/supervised.js'
import { letterTokenizer, tinyConfig, tinyWeights } from '../tiny-model.js'

/** Ids that tell where they come from: one number for each place of each sequence. */
const aSequence = fc
  .integer({ min: 1, max: 3000 })
  .chain((length) => fc.tuple(fc.constant(length), fc.subarray(places(length)), fc.nat(1e6)))
  .map(([length, trained, salt]): Sequence => ({ ids: places(length + 1).map((i) => i * 7 + salt), trained }))

function places(length: number): number[] {
  return Array.from({ length: length - 1 }, (_, i) => i + 1)
}

const aBatch = fc.array(aSequence, { maxLength: 12 })
const aBudget = fc.integer({ min: 1, max: 6000 })

describe('the size that is padded to', () => {
  it('is at least the size, by at most a quarter more, and itself again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 30 }), (size) => {
        const padded = paddedSize(size)
        expect(padded).toBeGreaterThanOrEqual(size)
        expect(padded).toBeLessThanOrEqual(1.25 * size)
        expect(paddedSize(padded)).toBe(padded)
      }),
    )
  })

  it('grows with the size, through at most four sizes for each doubling', () => {
    const sizes = new Set<number>()
    for (let size = 1; size <= 8192; size++) {
      const padded = paddedSize(size)
      expect(padded).toBeGreaterThanOrEqual(Math.max(...sizes, 1))
      sizes.add(padded)
    }
    for (let low = 1; low < 8192; low *= 2) {
      const between = [...sizes].filter((size) => size > low && size <= 2 * low)
      expect(between.length).toBeLessThanOrEqual(4)
    }
  })
})

describe('microbatches', () => {
  it('hold every trained token once, where its prediction stands', () => {
    fc.assert(
      fc.property(aBatch, aBudget, (sequences, tokens) => {
        const seen = new Set<string>()
        for (const { ids, logitRows, targets, origins } of toMicrobatches(sequences, tokens)) {
          const time = ids.shape[1]!
          origins.forEach(({ sequence, place }, i) => {
            seen.add(`${sequence} ${place}`)
            const own = sequences[sequence]!.ids
            // Its row holds the sequence up to there, so it is predicted from what precedes it.
            const start = logitRows.data[i]! - (place - 1)
            const row = ids.data.subarray(start, start + own.length)
            const right = targets.data[i] === own[place] && start % time === 0 && own.every((id, at) => id === row[at])
            if (!right) expect.fail(`place ${place} of sequence ${sequence} is not where it should be`)
          })
        }
        expect(seen.size).toBe(sequences.reduce((sum, { trained }) => sum + trained.length, 0))
      }),
      { numRuns: 30 },
    )
  })

  it('keep to the number of ids, but for a sequence that is longer by itself', () => {
    fc.assert(
      fc.property(aBatch, aBudget, (sequences, tokens) => {
        for (const { ids } of toMicrobatches(sequences, tokens)) {
          const [rows, time] = ids.shape as [number, number]
          if (rows > 1) expect(rows * time).toBeLessThanOrEqual(tokens)
          expect(paddedSize(rows)).toBe(rows)
          expect(paddedSize(time)).toBe(time)
        }
      }),
    )
  })

  it('pad rows, length and targets by at most a quarter; a row of one sequence is one row', () => {
    fc.assert(
      fc.property(aBatch, aBudget, (sequences, tokens) => {
        let before = 0
        const longest = sequences.map(({ ids }) => ids.length).sort((a, b) => a - b)
        for (const { ids, targets, origins } of toMicrobatches(sequences, tokens)) {
          const [rows, time] = ids.shape as [number, number]
          // Groups follow one another in the order of their lengths.
          let count = 0
          while (before + count < longest.length && paddedSize(longest[before + count]!) <= time && count < rows)
            count++
          expect(rows).toBeLessThanOrEqual(1.25 * count)
          expect(time).toBeLessThanOrEqual(1.25 * longest[before + count - 1]!)
          expect(targets.data.length).toBeLessThanOrEqual(1.25 * Math.max(1, origins.length))
          before += count
        }
        expect(before).toBe(sequences.length)
      }),
    )
    const [alone] = toMicrobatches([{ ids: [5, 6, 7], trained: [2] }], 4096)
    expect(alone!.ids.shape).toEqual([1, 3])
    expect(alone!.targets.shape).toEqual([1])
  })

  it('give a value to each target and 0 to padding', () => {
    fc.assert(
      fc.property(aBatch, aBudget, (sequences, tokens) => {
        for (const batch of toMicrobatches(sequences, tokens)) {
          const values = perTarget(batch, ({ place }) => place)
          expect([...values.slice(0, batch.origins.length)]).toEqual(batch.origins.map(({ place }) => place))
          expect(values.slice(batch.origins.length).every((value) => value === 0)).toBe(true)
        }
      }),
      { numRuns: 30 },
    )
  })
})

describe('functions traced in a run', () => {
  /** As rollouts are: a prompt, up to three searches with their documents, an answer; scaled to the tiny model. */
  function rollout(random: () => number): { ids: number[]; tokenWeights: number[] } {
    const tokenWeights: number[] = []
    const add = (count: number, weight: number): void => {
      for (let i = 0; i < count; i++) tokenWeights.push(weight)
    }
    const upTo = (count: number): number => Math.floor(random() * count)
    add(15 + upTo(12), 0)
    for (let searches = upTo(4); searches > 0; searches--) {
      add(4 + upTo(11), 1)
      add(25 + upTo(50), 0)
    }
    add(3 + upTo(20), 1)
    return { ids: tokenWeights.map(() => upTo(96)), tokenWeights }
  }

  it('are at most 160 in 200 updates of ragged rollouts', { timeout: 300_000 }, async () => {
    const weights = await tinyWeights({ ...tinyConfig, layers: 1 }, 1)
    const random = createRandom(7)
    const before = compileCount()
    await trainSupervised({
      policy: { config: { ...tinyConfig, layers: 1 }, weights, tokenizer: letterTokenizer },
      steps: 200,
      batch: () => Array.from({ length: 8 }, () => rollout(random)),
      learningRate: 1e-3,
      microbatchTokens: 300,
      progress: false,
    })
    const traced = compileCount() - before
    disposeWeights(weights)
    expect(traced).toBeLessThanOrEqual(160)
  })
})
