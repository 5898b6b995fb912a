import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { comparePaired } from '../../src/evaluation/compare.js'
import { exactMcNemar } from '../../src/statistics/mcnemar.js'
import type { Score } from '../../src/schema/score.js'

const scores = (method: string, right: readonly boolean[]): Score[] =>
  right.map((em, n) => ({
    method,
    dataset: 'd',
    questionId: `d-test-${n}`,
    answer: 'x',
    em: Number(em),
    coverEm: Number(em),
    f1: Number(em),
    searches: 1,
    answered: 1,
  }))

describe('exactMcNemar', () => {
  // Computed with exact fractions: 2·Σ C(n, i) / 2ⁿ.
  test.each([
    [0, 0, 1],
    [3, 3, 1],
    [0, 6, 0.03125],
    [1, 9, 0.021484375],
    [5, 15, 0.04138946533203125],
    [20, 60, 8.580559867049611e-6],
    [4900, 5100, 0.04658552770494739],
    [0, 2000, 0],
  ])('%d against %d gives %d', (b, c, p) => {
    expect(Math.abs(exactMcNemar(b, c) - p)).toBeLessThan(1e-9 * Math.max(1e-3, p))
    expect(exactMcNemar(c, b)).toBe(exactMcNemar(b, c))
  })

  test('is a probability, and falls as the counts part', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(300), (b, c) => {
        const p = exactMcNemar(b, c)
        expect(p).toBeGreaterThan(0)
        expect(p).toBeLessThanOrEqual(1)
        if (b <= c) expect(exactMcNemar(b, c + 1)).toBeLessThanOrEqual(p + 1e-12)
      }),
    )
  })
})

describe('comparePaired', () => {
  const a = scores('a', [true, true, true, false, true, false])
  const b = scores('b', [true, false, false, true, false, false])

  test('counts what only one method got right', () => {
    // 3 against 1 of 6: 2·(1 + 4)/16.
    expect(comparePaired(a, b)).toMatchObject({
      questions: 6,
      onlyFirst: 3,
      onlySecond: 1,
      difference: 1 / 3,
      pValue: 0.625,
    })
  })

  test('says where the difference lies, over questions and over sets', () => {
    const other = (list: Score[]): Score[] =>
      list.map((score) => ({ ...score, dataset: 'e', questionId: `e-${score.questionId}` }))
    const both = comparePaired([...a, ...other(a.slice(0, 2))], [...b, ...other(b.slice(0, 2))])
    expect(both.difference).toBeCloseTo(3 / 8, 12)
    expect(both.differenceOfSets).toBeCloseTo((2 / 6 + 1 / 2) / 2, 12)
    expect(both.low).toBeLessThan(both.difference)
    expect(both.high).toBeGreaterThan(both.difference)
    expect(both.lowOfSets).toBeLessThan(both.differenceOfSets)
    expect(both.highOfSets).toBeGreaterThan(both.differenceOfSets)
  })

  test('pairs by question, whatever the order', () => {
    expect(comparePaired(a, [...b].reverse())).toEqual(comparePaired(a, b))
  })

  test('questions without a partner, several methods at once and nothing at all are refused', () => {
    expect(() => comparePaired(a, b.slice(1))).toThrow('got 6 and 5, 1 of them without a partner')
    expect(() => comparePaired([...a, ...b], b)).toThrow('got 12 scores of 6 questions; give the scores of one method')
    expect(() => comparePaired([], [])).toThrow('at least one; got 0 and 0')
  })
})
