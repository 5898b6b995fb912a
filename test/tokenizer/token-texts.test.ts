import fc from 'fast-check'
import { expect, it } from 'vitest'
import { miniCheckpoint } from '../../src/mini/dataset.js'
import { loadTokenizer } from '../../src/tokenizer/load-tokenizer.js'
import { tokenTexts } from '../../src/tokenizer/token-texts.js'

const tokenizer = await loadTokenizer(miniCheckpoint('policy'))

it('joined are the text of all ids', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (text) => {
      const ids = tokenizer.encode(text)
      const texts = tokenTexts(tokenizer, ids)
      expect(texts).toHaveLength(ids.length)
      expect(texts.join('')).toBe(tokenizer.decode(ids))
    }),
  )
})

it('a character of several ids is at the first of them', () => {
  const ids = tokenizer.encode('a😀b')
  const texts = tokenTexts(tokenizer, ids)
  expect(texts.filter((text) => text !== '')).toEqual(['a', '😀', 'b'])
  expect(texts.length).toBeGreaterThan(3)
})

it('bytes that are no character stay where they are', () => {
  const [first] = tokenizer.encode('😀')
  expect(tokenTexts(tokenizer, [first!, ...tokenizer.encode('a')])).toEqual(['\uFFFD', 'a'])
})

it('a space that a tokenizer drops at the beginning of a text is there in the middle', () => {
  const words = [' the', ' city', ' is']
  const dropping = {
    decode: (ids: readonly number[]) =>
      ids
        .map((id) => words[id])
        .join('')
        .trimStart(),
  }
  expect(tokenTexts(dropping, [0, 1, 2])).toEqual(['the', ' city', ' is'])
})
