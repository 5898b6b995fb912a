import { describe, expect, test } from 'vitest'
import { trigramDivergence, jensenShannon } from '../../../src/evaluation/calibration/divergence.js'
import { countRepeated, distinctShares, resemblanceOf } from '../../../src/evaluation/calibration/diversity.js'
import { trigramsOf, wordsOf } from '../../../src/evaluation/calibration/ngrams.js'
import { twoSampleTest } from '../../../src/evaluation/calibration/two-sample-test.js'
import { createRandom, pick } from '../../../src/random/seeded-random.js'
import { fitLogistic, probabilityOf } from '../../../src/statistics/logistic-regression.js'

test('words are of any script, trigrams keep case and signs', () => {
  expect(wordsOf("L'été, 東京 2nd!")).toEqual(['l', 'été', '東京', '2nd'])
  expect(trigramsOf('A  b.')).toEqual([' A ', 'A b', ' b.', 'b. '])
  expect(trigramsOf('')).toEqual([])
})

describe('Jensen–Shannon divergence', () => {
  const of = (counts: Record<string, number>) => new Map(Object.entries(counts))

  test('by hand: 0 of the same, 1 of nothing shared, and between', () => {
    expect(jensenShannon(of({ a: 1, b: 1 }), of({ a: 5, b: 5 }))).toBe(0)
    expect(jensenShannon(of({ a: 1 }), of({ b: 3 }))).toBe(1)
    // p = (1, 0), q = (½, ½), middle (¾, ¼): ½ log₂(4/3) + ½ (½ log₂(2/3) + ½ log₂ 2).
    const expected = 0.5 * Math.log2(4 / 3) + 0.25 * Math.log2(2 / 3) + 0.25
    expect(jensenShannon(of({ a: 2 }), of({ a: 3, b: 3 }))).toBeCloseTo(expected, 12)
    expect(jensenShannon(of({ a: 3, b: 3 }), of({ a: 2 }))).toBeCloseTo(expected, 12)
  })

  test('two samples of one source are as far apart as chance has it, others farther', () => {
    const random = createRandom(3)
    const write = (words: readonly string[]) => Array.from({ length: 12 }, () => pick(random, words)).join(' ')
    const plain = ['lake', 'river', 'town', 'of', 'the', 'is', 'Peru', 'north']
    const [a, b] = [0, 1].map(() => Array.from({ length: 60 }, () => write(plain)))
    const c = Array.from({ length: 60 }, () => write([...plain, 'Honestly!!', 'wow']))
    const same = trigramDivergence(a!, b!, 0)
    expect(same.divergence / same.byChance).toBeLessThan(1.3)
    const other = trigramDivergence(a!, c, 0)
    expect(other.divergence / other.byChance).toBeGreaterThan(5)
  })
})

describe('diversity', () => {
  test('distinct-n by hand, on 500 words', () => {
    const document = Array.from({ length: 10 }, (_, i) => `w${i}`).join(' ')
    // The same ten words fifty times over: 10 of 500 words, 9 of 450 pairs.
    expect(distinctShares(Array<string>(50).fill(document), 0)).toEqual({
      distinct1: expect.closeTo(0.02, 10) as number,
      distinct2: expect.closeTo(0.02, 10) as number,
    })
    const different = Array.from({ length: 60 }, (_, i) =>
      Array.from({ length: 10 }, (_, j) => `w${10 * i + j}`).join(' '),
    )
    expect(distinctShares(different, 0)).toEqual({ distinct1: 1, distinct2: 1 })
    expect(distinctShares(['too few words'], 0)).toBeNull()
  })

  test('repeated documents are those after the first, whatever their case and signs', () => {
    expect(countRepeated(['Lima.', 'lima', 'Cusco', 'Cusco!', 'the lima'])).toBe(3)
    expect(countRepeated([])).toBe(0)
  })

  test('resemblance by hand', () => {
    // Pairs: {a b, b c} and {a b, b d}: one of three is shared.
    expect(resemblanceOf(['a b c', 'A b d.'])).toBeCloseTo(1 / 3, 12)
    expect(resemblanceOf(['a b c', 'a b c', 'x y'])).toBeCloseTo(1 / 3, 12)
    expect(resemblanceOf(['one', 'two'])).toBeNull()
  })
})

describe('logistic regression', () => {
  test('finds the minimum: of one feature, where it can be solved by hand', () => {
    // Features ±1 with labels 3:1 and 1:3, no penalty: log-odds are ±log 3.
    const rows = [1, 1, 1, 1, -1, -1, -1, -1].map((value) => ({ places: [0], values: [value] }))
    const model = fitLogistic(rows, [1, 1, 1, 0, 0, 0, 0, 1], { features: 1, penalty: 0 })
    expect(model.weights[0]).toBeCloseTo(Math.log(3), 3)
    expect(model.bias).toBeCloseTo(0, 3)
    expect(probabilityOf(rows[0]!, model)).toBeCloseTo(0.75, 3)
  })

  test('a penalty keeps weights of what can be told apart finite', () => {
    const rows = [1, -1].map((value) => ({ places: [0], values: [value] }))
    const { weights } = fitLogistic(rows, [1, 0], { features: 1, penalty: 0.1 })
    // At the minimum the slope is 0: 0.1 w = 1 − σ(w).
    expect(0.1 * weights[0]! - (1 - 1 / (1 + Math.exp(-weights[0]!)))).toBeCloseTo(0, 4)
  })
})

describe('classifier two-sample test', () => {
  const random = createRandom(11)
  const words = Array.from({ length: 60 }, (_, i) => `word${i}`)
  const text = () => Array.from({ length: 12 }, () => pick(random, words)).join(' ')
  const several = (write: () => string) => Array.from({ length: 3 }, write)
  const pairs = (first: () => string, second: () => string, n = 60) =>
    Array.from({ length: n }, () => ({ first: several(first), second: several(second) }))

  test('engines of one source cannot be told apart, at the rate that the p-value says', () => {
    let small = 0
    for (let seed = 0; seed < 30; seed++) if (twoSampleTest(pairs(text, text, 24), seed)!.pValue < 0.05) small++
    expect(small).toBeLessThanOrEqual(5)
  })

  test('a habit tells them apart', () => {
    const told = twoSampleTest(
      pairs(() => `${text()} indeed`, text),
      0,
    )!
    expect(told.of).toBe(60)
    expect(told.share).toBe(1)
    expect(told.pValue).toBeCloseTo(2 ** -60, 25)
  })

  test('words of a query that both engines repeat do not help it', () => {
    const topical = Array.from({ length: 60 }, (_, i) => {
      const write = () => `topic${i} ${text()}`
      return { first: several(write), second: several(write) }
    })
    expect(twoSampleTest(topical, 0)!.pValue).toBeGreaterThan(0.05)
  })

  test('of too few queries there is none', () => {
    expect(twoSampleTest(pairs(text, text, 9), 0)).toBeNull()
    const half = pairs(text, text, 20).map((pair, i) => (i % 2 === 0 ? pair : { ...pair, first: [] }))
    expect(twoSampleTest(half.slice(1), 0)).toBeNull()
  })
})
