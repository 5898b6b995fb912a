import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { drawQuality, noiseThreshold, plainCurriculum } from '../../src/simulator/curriculum.js'
import type { Curriculum } from '../../src/simulator/curriculum.js'

describe('noiseThreshold', () => {
  test('values computed by hand', () => {
    // Half-way, base 4: (4^½ − 1)/3 = 1/3 of the way from 0 to 0.6.
    expect(noiseThreshold({ start: 0, end: 0.6 }, 50, 101)).toBeCloseTo(0.2, 12)
    expect(noiseThreshold({ start: 0.25, end: 0.75, base: 1 }, 50, 101)).toBeCloseTo(0.5, 12)
    expect(noiseThreshold({ start: 0.5, end: 0 }, 100, 101)).toBe(0)
  })

  test('begins at start, ends at end, stays between and goes one way only', () => {
    const probability = fc.double({ min: 0, max: 1, noNaN: true })
    const base = fc.oneof(
      fc.double({ min: 1e-6, max: 100, noNaN: true }),
      fc.double({ min: 1 - 1e-9, max: 1 + 1e-9, noNaN: true }),
    )
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

  test('is the published formula, for any base above 0', () => {
    const base = fc.double({ min: 0.01, max: 100, noNaN: true }).filter((value) => Math.abs(value - 1) > 1e-4)
    fc.assert(
      fc.property(base, fc.nat(200), (base, update) => {
        const x = update / 200
        const expected = 0.1 + ((base ** x - 1) / (base - 1)) * (0.7 - 0.1)
        expect(noiseThreshold({ start: 0.1, end: 0.7, base }, update, 201)).toBeCloseTo(expected, 9)
      }),
    )
    // Half-way, base ¼: (½ − 1)/(¼ − 1) = 2/3.
    expect(noiseThreshold({ start: 0, end: 0.6, base: 0.25 }, 50, 101)).toBeCloseTo(0.4, 12)
    for (const base of [5e-324, 1e-300, 1e300, Number.MAX_VALUE]) {
      const half = noiseThreshold({ start: 0, end: 1, base }, 50, 101)
      expect(half).toBeGreaterThanOrEqual(0)
      expect(half).toBeLessThanOrEqual(1)
    }
  })

  test('stays, jumps, or is what a function says', () => {
    const curve = (curriculum: Curriculum) => Array.from({ length: 5 }, (_, i) => noiseThreshold(curriculum, i, 5))
    expect(curve(0.3)).toEqual([0.3, 0.3, 0.3, 0.3, 0.3])
    const steps = [
      { at: 0.25, threshold: 0.5 },
      { at: 0.9, threshold: 0.2 },
    ]
    expect(curve({ start: 0, steps })).toEqual([0, 0.5, 0.5, 0.5, 0.2])
    expect(curve((progress) => progress ** 2)).toEqual([0, 0.0625, 0.25, 0.5625, 1])
    expect(() => curve((progress) => progress * 2)).toThrow(
      'curriculum: threshold must be a probability in [0, 1], got 1.5',
    )
  })

  test('a function is kept as what it gives', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.double({ min: 0, max: 1, noNaN: true }), (updates, high) => {
        const own = (progress: number): number => high * Math.sin(progress * 3) ** 2
        const plain = plainCurriculum(own, updates)
        const saved = JSON.parse(JSON.stringify(plain)) as Curriculum
        for (let i = 0; i < updates; i++)
          expect(noiseThreshold(saved, i, updates)).toBe(noiseThreshold(own, i, updates))
      }),
    )
    expect(plainCurriculum(0.5, 3)).toBe(0.5)
  })

  test('a single update, and updates past the last, have a threshold too', () => {
    expect(noiseThreshold({ start: 0.2, end: 0.5 }, 0, 1)).toBe(0.2)
    expect(noiseThreshold({ start: 0.2, end: 0.5 }, 99, 10)).toBeCloseTo(0.5, 12)
  })

  test.each([
    [{ start: -0.1, end: 0.5 }, 'curriculum.start must be a probability in [0, 1], got -0.1'],
    [{ start: 0, end: 1.5 }, 'curriculum.end must be a probability in [0, 1], got 1.5'],
    [{ start: 0, end: 1, base: 0 }, 'curriculum.base must be more than 0, got 0; 1 is a straight line'],
    [{ start: 0, steps: [{ at: 2, threshold: 0 }] }, 'curriculum.steps.0.at must be at most 1, got 2'],
    [1.5, 'curriculum must be a probability in [0, 1], got 1.5'],
    [{ start: 0, end: NaN }, 'curriculum must be a probability, { start, end, base }, '],
    [{ start: 0, end: 1, bass: 2 }, 'curriculum: there is no option bass; did you mean base?'],
    ['linear', 'curriculum must be a probability, { start, end, base }, '],
  ])('%j is refused', (curriculum, message) => {
    expect(() => noiseThreshold(curriculum as Curriculum, 0, 10)).toThrow(`curriculum: ${message}`)
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
