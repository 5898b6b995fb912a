import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { drawQuality, noiseThreshold } from '../../src/simulator/curriculum.js'

describe('noiseThreshold', () => {
  test('values computed by hand', () => {
    // Half-way, base 4: (4^½ − 1)/3 = 1/3 of the way from 0 to 0.6.
    expect(noiseThreshold({ start: 0, end: 0.6 }, 50, 101)).toBeCloseTo(0.2, 12)
    expect(noiseThreshold({ start: 0.25, end: 0.75, base: 1 }, 50, 101)).toBeCloseTo(0.5, 12)
    expect(noiseThreshold({ start: 0.5, end: 0 }, 100, 101)).toBe(0)
  })

  test('begins at start, ends at end, stays between and goes one way only', () => {
    const probability = fc.double({ min: 0, max: 1, noNaN: true })
    const base = fc.double({ min: 1, max: 100, noNaN: true })
    fc.assert(
      fc.property(probability, probability, base, fc.integer({ min: 2, max: 60 }), (start, end, base, updates) => {
        const curve = Array.from({ length: updates }, (_, i) => noiseThreshold({ start, end, base }, i, updates))
        expect(curve[0]).toBeCloseTo(start, 9)
        expect(curve[updates - 1]).toBeCloseTo(end, 9)
        curve.forEach((value, i) => {
          expect(value).toBeGreaterThanOrEqual(Math.min(start, end) - 1e-9)
          expect(value).toBeLessThanOrEqual(Math.max(start, end) + 1e-9)
          if (i > 0) expect((value - curve[i - 1]!) * Math.sign(end - start)).toBeGreaterThanOrEqual(-1e-9)
        })
      }),
    )
  })

  test('a single update, and updates past the last, have a threshold too', () => {
    expect(noiseThreshold({ start: 0.2, end: 0.5 }, 0, 1)).toBe(0.2)
    expect(noiseThreshold({ start: 0.2, end: 0.5 }, 99, 10)).toBeCloseTo(0.5, 12)
  })

  test.each([
    [{ start: -0.1, end: 0.5 }, 'start must be a probability in [0, 1], got -0.1'],
    [{ start: 0, end: 1.5 }, 'end must be a probability in [0, 1], got 1.5'],
    [{ start: 0, end: NaN }, 'end must be a probability in [0, 1], got NaN'],
    [{ start: 0, end: 1, base: 0.5 }, 'base must be at least 1, got 0.5'],
  ])('%j is refused', (curriculum, message) => {
    expect(() => noiseThreshold(curriculum, 0, 10)).toThrow(`curriculum: ${message}`)
  })
})

describe('drawQuality', () => {
  test('is noisy as often as the threshold says, for trajectories and for searches', () => {
    for (const threshold of [0, 0.25, 0.5, 1]) {
      const noisy = (draw: (i: number) => string): number =>
        Array.from({ length: 10_000 }, (_, i) => draw(i)).filter((quality) => quality === 'noisy').length / 10_000
      // Standard error at most 0.005.
      expect(Math.abs(noisy((i) => drawQuality(threshold, i, 0)) - threshold)).toBeLessThan(0.02)
      expect(Math.abs(noisy((i) => drawQuality(threshold, 7, i)) - threshold)).toBeLessThan(0.02)
    }
  })

  test('repeats, and is drawn anew for each search', () => {
    const draws = Array.from({ length: 20 }, (_, search) => drawQuality(0.5, 3, search))
    expect(Array.from({ length: 20 }, (_, search) => drawQuality(0.5, 3, search))).toEqual(draws)
    expect(new Set(draws).size).toBe(2)
  })
})
