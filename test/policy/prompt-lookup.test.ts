import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lookUpDraft } from '../../src/policy/prompt-lookup.js'

const letters = (text: string): number[] => [...text].map((letter) => letter.charCodeAt(0))
const draft = (text: string, most = 7): string => String.fromCharCode(...lookUpDraft(letters(text), most).ids)

describe('prompt lookup', () => {
  it('drafts what followed the last three ids the first time, else the last two, else the last one', () => {
    expect(draft('one two three four; one tw')).toBe('o three')
    expect(draft('the cat and the dog, the')).toBe(' cat an')
    expect(draft('what is it? xit')).toBe('? xit')
    expect(draft('lamp, z-l')).toBe('amp, z-')
    expect(draft('abcdefgh')).toBe('')
    expect(draft('one two three four; one tw', 3)).toBe('o t')
  })

  it('trusts more what it found by more ids', () => {
    expect(lookUpDraft(letters('ab xb'), 7).chance).toBeLessThan(lookUpDraft(letters('ab ab'), 7).chance)
  })

  it('has nothing to say of an empty text, of one id, or where no token is left', () => {
    expect([draft(''), draft('a'), draft('aaaa', 0), draft('aaaa', -1)]).toEqual(['', '', '', ''])
  })

  it('always quotes what follows as many of the last ids as can be found', () => {
    const text = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 40 })
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 9 }), (ids, most) => {
        /** Where the last ids stand before, so that something follows them. */
        const places = (length: number): number[] =>
          ids.flatMap((_, at) =>
            at + length < ids.length && ids.slice(at, at + length).join() === ids.slice(-length).join() ? [at] : [],
          )
        const length = [3, 2, 1].find((count) => count < ids.length && places(count).length > 0)
        const found = length === undefined ? [] : ids.slice(places(length)[0]! + length)
        expect(lookUpDraft(ids, most).ids).toEqual(found.slice(0, Math.min(most, 7)))
      }),
    )
  })
})
