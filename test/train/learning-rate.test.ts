import { describe, expect, it } from 'vitest'
import { scheduleFactor } from '../../src/train/learning-rate.js'

const factors = (updates: number, warmupRatio: number, schedule?: 'constant' | 'linear'): number[] =>
  Array.from({ length: updates }, (_, update) => scheduleFactor(update, updates, warmupRatio, schedule))

describe('learning rate', () => {
  it('warms up, then stays', () => {
    expect(factors(6, 0.5)).toEqual([1 / 3, 2 / 3, 1, 1, 1, 1])
    expect(factors(3, 0)).toEqual([1, 1, 1])
  })

  it('warms up, then falls in a straight line that would end at 0', () => {
    expect(factors(6, 0.5, 'linear')).toEqual([1 / 3, 2 / 3, 1, 3 / 4, 2 / 4, 1 / 4])
    expect(factors(4, 0, 'linear')).toEqual([1, 3 / 4, 2 / 4, 1 / 4])
  })

  it('keeps its share within 0 and 1 where the warm-up is no whole number of updates', () => {
    for (const factor of factors(7, 0.33, 'linear')) {
      expect(factor).toBeGreaterThan(0)
      expect(factor).toBeLessThanOrEqual(1)
    }
  })
})
