// Against scipy and statsmodels: test/parity/make-statistics.py.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bootstrapDifference, bootstrapMean } from '../../src/statistics/bootstrap.js'
import { holmCorrection } from '../../src/statistics/holm.js'
import { exactMcNemar, pairedPower, questionsNeeded } from '../../src/statistics/mcnemar.js'
import { compareProportions, proportionPower } from '../../src/statistics/two-proportions.js'
import { wilsonInterval } from '../../src/statistics/wilson-interval.js'

const golden = JSON.parse(readFileSync(join(import.meta.dirname, '../parity/fixtures/statistics.json'), 'utf8')) as {
  wilson: [right: number, n: number, low: number, high: number][]
  mcnemar: [onlyFirst: number, onlySecond: number, p: number][]
  holm: [given: number[], corrected: number[]][]
  power: [n: number, onlyFirst: number, onlySecond: number, alpha: number, power: number][]
  proportions: [a: number, n: number, b: number, m: number, low: number, high: number, p: number][]
  bootstrap: [sets: number[][], meanOf: 'sets' | 'questions', low: number, high: number, deviation: number][]
}

describe('as scipy and statsmodels compute them', () => {
  it('Wilson’s intervals', () => {
    for (const [right, n, low, high] of golden.wilson) {
      const interval = wilsonInterval(right / n, n)
      expect(interval.low).toBeCloseTo(low, 12)
      expect(interval.high).toBeCloseTo(high, 12)
    }
  })

  it('the exact test of McNemar', () => {
    for (const [first, second, p] of golden.mcnemar) {
      expect(Math.abs(exactMcNemar(first, second) - p), `${first} ${second}`).toBeLessThan(1e-9 * p + 1e-300)
    }
  })

  it('Holm’s correction', () => {
    for (const [given, corrected] of golden.holm) {
      holmCorrection(given).forEach((p, i) => expect(p).toBeCloseTo(corrected[i]!, 12))
    }
  })

  it('the power of the exact test, summed without a window', () => {
    for (const [n, onlyFirst, onlySecond, alpha, power] of golden.power) {
      expect(pairedPower(n, { onlyFirst, onlySecond, alpha }), `${n} ${onlyFirst}`).toBeCloseTo(power, 6)
    }
  })

  it('two shares of separate questions', () => {
    for (const [a, n, b, m, low, high, p] of golden.proportions) {
      const found = compareProportions(a / n, n, b / m, m)
      expect(found.low).toBeCloseTo(low, 10)
      expect(found.high).toBeCloseTo(high, 10)
      expect(found.pValue).toBeCloseTo(p, 9)
    }
  })

  it('the bootstrap over sets, within its own chance', () => {
    for (const [sets, meanOf, low, high, deviation] of golden.bootstrap) {
      const found = bootstrapMean(sets, { meanOf, resamples: 20_000 })
      // A quantile of 20,000 resamples is off by about 2 % of the deviation; shares of small sets come in steps.
      const step = meanOf === 'sets' ? 1 / (sets.length * Math.min(...sets.map(({ length }) => length))) : 0.005
      expect(Math.abs(found.low - low)).toBeLessThan(0.1 * deviation + step)
      expect(Math.abs(found.high - high)).toBeLessThan(0.1 * deviation + step)
    }
  })
})

describe('power', () => {
  it('and the number of questions that has it belong together', () => {
    for (const shares of [
      { onlyFirst: 0.12, onlySecond: 0.08 },
      { onlyFirst: 0.05, onlySecond: 0 },
      { onlyFirst: 0.1, onlySecond: 0.25, alpha: 0.01 },
    ]) {
      const n = questionsNeeded(shares)
      expect(pairedPower(n, shares)).toBeGreaterThanOrEqual(0.8)
      expect(pairedPower(Math.floor(n * 0.9), shares)).toBeLessThan(0.8)
    }
  })

  it('is the share of simulated evaluations that show the difference', () => {
    const shares = { onlyFirst: 0.2, onlySecond: 0.1 }
    let state = 1
    const random = (): number => (state = (state * 48271) % 2147483647) / 2147483647
    let shown = 0
    for (let run = 0; run < 3000; run++) {
      let first = 0
      let second = 0
      for (let i = 0; i < 150; i++) {
        const u = random()
        if (u < 0.2) first++
        else if (u < 0.3) second++
      }
      if (exactMcNemar(first, second) <= 0.05) shown++
    }
    expect(Math.abs(shown / 3000 - pairedPower(150, shares))).toBeLessThan(0.03)
  })

  it('without a difference is at most alpha, and of no disagreement 0', () => {
    expect(pairedPower(500, { onlyFirst: 0.1, onlySecond: 0.1 })).toBeLessThan(0.05)
    expect(pairedPower(500, { onlyFirst: 0, onlySecond: 0 })).toBe(0)
    expect(proportionPower(500, 0.4, 0.4)).toBeCloseTo(0.05, 10)
    // The subset of the paper shows a difference of two points in one run of ten.
    expect(proportionPower(500, 0.4, 0.42)).toBeCloseTo(0.099, 2)
  })

  it('of what is no share, or a number of questions that shows nothing, is refused', () => {
    expect(() => pairedPower(500, { onlyFirst: 0.7, onlySecond: 0.4 })).toThrow(
      'pairedPower: shares must be at least 0',
    )
    expect(() => pairedPower(0, { onlyFirst: 0.1, onlySecond: 0 })).toThrow('n must be a positive integer, got 0')
    expect(() => questionsNeeded({ onlyFirst: 0.1, onlySecond: 0.1 })).toThrow('the shares must differ')
    expect(() => questionsNeeded({ onlyFirst: 0.2, onlySecond: 0.1 }, 1)).toThrow('power must lie between 0 and 1')
  })
})

describe('the bootstrap', () => {
  const sets = [
    [1, 1, 0, 0, 1, 0, 1, 1],
    [0, 0, 0, 1],
  ]

  it('takes the mean of sets or the mean of questions', () => {
    expect(bootstrapMean(sets).mean).toBeCloseTo((5 / 8 + 1 / 4) / 2, 12)
    expect(bootstrapMean(sets, { meanOf: 'questions' }).mean).toBeCloseTo(6 / 12, 12)
  })

  it('repeats for a seed', () => {
    const f1 = [sets[0]!.map((value, i) => value / (i + 1)), sets[1]!]
    expect(bootstrapMean(f1)).toEqual(bootstrapMean(f1))
    expect(bootstrapMean(f1, { seed: 1 })).not.toEqual(bootstrapMean(f1))
  })

  it('of a difference says how likely chance is', () => {
    const clear = bootstrapDifference([Array.from({ length: 100 }, (_, i) => Number(i % 3 === 0))])
    expect(clear.low).toBeGreaterThan(0)
    expect(clear.pValue).toBeLessThan(0.01)
    const none = bootstrapDifference([[1, -1, 1, -1, 0, 0]])
    expect(none).toMatchObject({ difference: 0, pValue: 1 })
    expect(bootstrapDifference([[0, 0, 0]])).toEqual({ difference: 0, low: 0, high: 0, pValue: 1 })
  })

  it('holds its mean between its ends', () => {
    const value = fc.constantFrom(0, 0.25, 1)
    fc.assert(
      fc.property(
        fc.array(fc.array(value, { minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 4 }),
        (given) => {
          const { low, high } = bootstrapMean(given, { resamples: 200 })
          expect(low).toBeGreaterThanOrEqual(0)
          expect(high).toBeLessThanOrEqual(1)
          expect(low).toBeLessThanOrEqual(high)
        },
      ),
      { numRuns: 30 },
    )
  })

  it('of no sets, or an empty one, is refused', () => {
    expect(() => bootstrapMean([])).toThrow('bootstrapMean: there must be sets')
    expect(() => bootstrapDifference([[1], []])).toThrow('bootstrapDifference: there must be sets')
    expect(() => bootstrapMean([[1]], { resamples: 1 })).toThrow('resamples must be an integer of at least 100, got 1')
  })
})

it('what is no p-value is refused', () => {
  expect(() => holmCorrection([0.1, NaN])).toThrow('holmCorrection: p-values must lie in [0, 1], got NaN')
  expect(holmCorrection([])).toEqual([])
  expect(() => exactMcNemar(1.5, 2)).toThrow('counts must be integers of at least 0, got 1.5')
})
