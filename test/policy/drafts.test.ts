import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Draft } from '../../src/policy/decoder.js'
import { acceptDraft, checkedLengths } from '../../src/policy/drafts.js'

const of = (length: number, chance = 0.6): Draft => ({ ids: Array.from({ length }, (_, i) => i), chance })
const repeated = (rows: number, draft: Draft): Draft[] => new Array<Draft>(rows).fill(draft)
const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0)
/** Calls of 2, 4, 8, 16, 32 or 64 tokens. */
const size = (tokens: number): number => [2, 4, 8, 16, 32, 64].find((count) => count >= Math.min(tokens, 64))!

describe('what a call checks of drafts', () => {
  it('nothing where there are none', () => {
    expect(checkedLengths([of(0), of(0)], size)).toEqual([0, 0])
    expect(checkedLengths([], size)).toEqual([])
  })

  it('fills padding with whatever there is, the likeliest first, and the first ids of all before the second of any', () => {
    expect(checkedLengths([of(7, 0.01)], size)).toEqual([1])
    expect(checkedLengths([...repeated(28, of(0)), of(3, 0.3), of(3), of(3, 0.1)], size).slice(-3)).toEqual([0, 1, 0])
    // 30 conversations in a call of 32.
    expect(sum(checkedLengths(repeated(30, of(7, 0.1)), size))).toBe(2)
    expect(Math.max(...checkedLengths(repeated(30, of(7)), size))).toBe(1)
  })

  it('goes beyond where an id saves more than it costs: the fewer conversations, the further', () => {
    // 0.6^5 = 0.08 > 1 / 17 > 0.6^6: six tokens, so that the call is of eight.
    expect(checkedLengths([of(7)], size)).toEqual([7])
    // 0.6^2 > 8 / 24 > 0.6^3
    expect(sum(checkedLengths(repeated(8, of(7)), (tokens) => tokens))).toBe(16)
    // 16 / 32 < 0.6, 32 / 48 > 0.6
    expect(checkedLengths(repeated(16, of(7)), size)).toEqual(new Array(16).fill(1))
    expect(checkedLengths(repeated(32, of(7)), size)).toEqual(new Array(32).fill(0))
    expect(checkedLengths(repeated(64, of(7)), size)).toEqual(new Array(64).fill(0))
  })

  it('never more than the call holds, nor than a draft has', () => {
    const draft = fc.record({ length: fc.nat(7), chance: fc.double({ min: 0, max: 1, noNaN: true }) })
    fc.assert(
      fc.property(fc.array(draft, { minLength: 1, maxLength: 64 }), (given) => {
        const drafts = given.map(({ length, chance }) => of(length, chance))
        const lengths = checkedLengths(drafts, size)
        expect(sum(lengths) + drafts.length).toBeLessThanOrEqual(64)
        lengths.forEach((length, i) => expect(length).toBeLessThanOrEqual(drafts[i]!.ids.length))
      }),
    )
  })
})

describe('what is accepted of a draft', () => {
  const drawn = { tokens: [5, 6, 7, 8], logprobs: [-1, -2, -3, -4] }
  it('is what was drawn up to the first token that differs, and that one', () => {
    expect(acceptDraft([5, 6, 7], drawn)).toEqual(drawn)
    expect(acceptDraft([5, 0, 7], drawn)).toEqual({ tokens: [5, 6], logprobs: [-1, -2] })
    expect(acceptDraft([0, 6, 7], drawn)).toEqual({ tokens: [5], logprobs: [-1] })
    expect(acceptDraft([], { tokens: [5], logprobs: [-1] })).toEqual({ tokens: [5], logprobs: [-1] })
  })
})
