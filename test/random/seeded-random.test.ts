import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRandom, hash, pick, shuffle, uniform } from '../../src/random/seeded-random.js'

describe('uniform', () => {
  test('lies in [0, 1) and repeats', () => {
    fc.assert(
      fc.property(fc.integer(), fc.array(fc.integer(), { maxLength: 4 }), (seed, indices) => {
        const value = uniform(seed, ...indices)
        expect(value).toBeGreaterThanOrEqual(0)
        expect(value).toBeLessThan(1)
        expect(uniform(seed, ...indices)).toBe(value)
      }),
    )
  })

  test('depends on the order of its indices', () => {
    expect(uniform(1, 2, 3)).not.toBe(uniform(1, 3, 2))
    expect(uniform(1, 2)).not.toBe(uniform(1, 2, 0))
  })

  test('is even over neighbouring seeds and indices', () => {
    // Chi-squared over 20 bins of 20,000 draws: 19 degrees of freedom, 99.9th percentile 43.8.
    for (const draw of [(i: number) => uniform(i), (i: number) => uniform(7, i), (i: number) => uniform(i, 3, 9)]) {
      const bins = new Array<number>(20).fill(0)
      for (let i = 0; i < 20_000; i++) bins[Math.floor(draw(i) * 20)]!++
      const chi = bins.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0)
      expect(chi).toBeLessThan(43.8)
    }
  })

  test('neighbouring seeds are uncorrelated', () => {
    let sum = 0
    const n = 20_000
    for (let i = 0; i < n; i++) sum += (uniform(i, 5) - 0.5) * (uniform(i + 1, 5) - 0.5)
    // Standard error of the mean product is (1/12)/√n = 0.0006.
    expect(Math.abs(sum / n)).toBeLessThan(0.0025)
  })
})

test('hashes of small inputs do not collide more than chance allows', () => {
  const seen = new Set<number>()
  for (let seed = 0; seed < 100; seed++) for (let i = 0; i < 300; i++) seen.add(hash(seed, i))
  // 30,000 draws of 2³² values: 0.1 collisions expected.
  expect(seen.size).toBeGreaterThanOrEqual(29_998)
})

test('a stream repeats for a seed and differs between seeds', () => {
  const take = (seed: number): number[] => {
    const random = createRandom(seed)
    return Array.from({ length: 5 }, random)
  }
  expect(take(3)).toEqual(take(3))
  expect(take(3)).not.toEqual(take(4))
})

test('a shuffle keeps its items, leaves the list alone and reaches every order', () => {
  fc.assert(
    fc.property(fc.integer(), fc.array(fc.integer()), (seed, items) => {
      const before = [...items]
      expect(shuffle(createRandom(seed), items).sort()).toEqual([...items].sort())
      expect(items).toEqual(before)
    }),
  )
  const orders = new Set(
    Array.from({ length: 200 }, (_, seed) => shuffle(createRandom(seed), ['a', 'b', 'c']).join('')),
  )
  expect(orders.size).toBe(6)
})

test('picking from an empty list is refused', () => {
  expect(() => pick(createRandom(1), [])).toThrow('pick: the list must not be empty')
})
