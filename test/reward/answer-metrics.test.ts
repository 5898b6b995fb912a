import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { coverExactMatch, exactMatch, f1 } from '../../src/reward/answer-metrics.js'
import { normalizeAnswer } from '../../src/reward/normalize-answer.js'

describe('normalizeAnswer', () => {
  test.each([
    ['The  Eiffel   Tower', 'eiffel tower'],
    ['U.S.A.', 'usa'],
    ['an apple, a day', 'apple day'],
    // Only whole words are articles.
    ['Theatre Anna Ä-a', 'theatre anna äa'],
    // The punctuation goes first, so that "a-the" becomes one word and stays.
    ['a-the', 'athe'],
    // Articles beside Unicode letters, digits or underscore are parts of words.
    ['thé the éa a', 'thé éa'],
    // Unicode punctuation stays, as in the reference code.
    ['“Łódź” — the city’s name…', '“łódź” — city’s name…'],
    ['东京，a 日本', '东京， 日本'],
    ['tab\tand\nnew line', 'tab and new line'],
    ['snake_case', 'snakecase'],
    ['', ''],
    ['the', ''],
  ])('%j becomes %j', (text, expected) => {
    expect(normalizeAnswer(text)).toBe(expected)
  })
})

describe('exactMatch', () => {
  test('any gold answer counts', () => {
    expect(exactMatch('the united states', ['USA', 'United States'])).toBe(1)
    expect(exactMatch('states', ['USA', 'United States'])).toBe(0)
  })

  test('is no substring match', () => {
    expect(exactMatch('Paris or London', ['Paris'])).toBe(0)
    expect(coverExactMatch('Paris or London', ['Paris'])).toBe(1)
  })

  test.each([[null], [''], ['  ']])('no answer (%j) scores 0 on every metric, whatever the gold', (answer) => {
    for (const gold of ['Paris', 'the', 'A', '.']) {
      expect(exactMatch(answer, [gold])).toBe(0)
      expect(coverExactMatch(answer, [gold])).toBe(0)
      expect(f1(answer, [gold])).toBe(0)
    }
  })

  test('a gold answer of which normalisation leaves nothing can still be given, and is not in everything', () => {
    expect(exactMatch('A', ['A'])).toBe(1)
    expect(f1('A', ['a'])).toBe(1)
    expect(exactMatch('B', ['A'])).toBe(0)
    expect(coverExactMatch('Rome', ['+'])).toBe(0)
    expect(exactMatch('the', ['A'])).toBe(0)
  })
})

describe('f1', () => {
  test('values computed by hand', () => {
    // 2 shared of 3 and 2 words: 2·2/(3+2).
    expect(f1('Barack Hussein Obama', ['Barack Obama'])).toBeCloseTo(0.8, 12)
    // A word counts as often as both have it: 1 shared of 3 and 1.
    expect(f1('no no no', ['no'])).toBeCloseTo(0.5, 12)
    // 2 shared of 2 and 4.
    expect(f1('new new', ['new york new york'])).toBeCloseTo(2 / 3, 12)
    // The best gold counts: 1 of 1 and 2, against 0.
    expect(f1('Obama', ['Clinton', 'Barack Obama'])).toBeCloseTo(2 / 3, 12)
    expect(f1('yes', ['no'])).toBe(0)
    expect(f1('The White House', ['white house'])).toBe(1)
  })

  test('the best over gold answers; a word counts as often as both have it', () => {
    expect(f1('new york', ['york', 'New York City', 'New York'])).toBe(1)
    expect(f1('york york', ['york'])).toBeCloseTo(2 / 3, 12)
  })

  test('is in [0, 1], symmetric, 1 for the gold itself, and at least exact match', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 30 })
    fc.assert(
      fc.property(text, text, (answer, gold) => {
        const value = f1(answer, [gold])
        expect(value).toBeGreaterThanOrEqual(0)
        expect(value).toBeLessThanOrEqual(1)
        expect(f1(gold, [answer])).toBeCloseTo(value, 12)
        expect(value).toBeGreaterThanOrEqual(exactMatch(answer, [gold]))
        expect(coverExactMatch(answer, [gold])).toBeGreaterThanOrEqual(exactMatch(answer, [gold]))
        if (gold.trim() !== '') expect(f1(gold, [gold])).toBe(1)
      }),
    )
  })
})
