import { describe, expect, it } from 'vitest'
import { coverExactMatch, exactMatch, f1, normalizeAnswer } from '../../src/reward/answer-metrics.js'
import { extractAnswer } from '../../src/reward/extract-answer.js'

describe('normalizeAnswer', () => {
  it.each([
    ['The  Quick, brown FOX!', 'quick brown fox'],
    ['a an the', ''],
    ['anthem of the Area', 'anthem of area'],
    ['U.S.A.', 'usa'],
    // Unicode punctuation stays, as in the reference.
    ['«Lima» – yes', '«lima» – yes'],
    ['co-op', 'coop'],
  ])('%s → %s', (text, expected) => expect(normalizeAnswer(text)).toBe(expected))
})

describe('metrics', () => {
  it('keeps exact match, cover match and F1 apart', () => {
    expect(exactMatch('The Lima', ['lima'])).toBe(1)
    expect(exactMatch('Lima, Peru', ['lima'])).toBe(0)
    expect(coverExactMatch('Lima, Peru', ['lima'])).toBe(1)
    // One word of two is right, the gold has one word: 2·1 / (2 + 1).
    expect(f1('Lima, Peru', ['lima'])).toBeCloseTo(2 / 3)
  })

  it('takes the best over gold answers and counts repeated words once each', () => {
    expect(f1('new york', ['york', 'New York City', 'New York'])).toBe(1)
    expect(f1('york york', ['york'])).toBeCloseTo(2 / 3)
    expect(exactMatch('b', ['a', 'b'])).toBe(1)
  })

  it('gives nothing for no answer, an empty one, or one of articles alone', () => {
    for (const answer of [null, '', 'the']) {
      expect(exactMatch(answer, ['Lima'])).toBe(0)
      expect(f1(answer, ['Lima'])).toBe(0)
    }
  })
})

describe('extractAnswer', () => {
  it('takes the last complete answer of the messages given', () => {
    expect(extractAnswer(['<answer> a </answer>', 'then <answer>b</answer> and <answer> c</answer> <answer> open'])).toBe('c')
    expect(extractAnswer(['<answer> outer <answer> inner </answer>'])).toBe('inner')
    expect(extractAnswer(['nothing', ''])).toBeNull()
  })
})
