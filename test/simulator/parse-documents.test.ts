import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseDocuments } from '../../src/simulator/parse-documents.js'

const texts = (text: string): string[] => parseDocuments(text).map((document) => document.text)

test.each([
  ['one a line', 'Doc 1: a b\nDoc 2: c', ['a b', 'c']],
  [
    'on one line, as the mini models write',
    " Doc 1: Peru's capital is Lima. Doc 2: c.</information>",
    ["Peru's capital is Lima.", 'c.'],
  ],
  ['words before the first', 'Sure! Here they are:\n\nDoc 1: a', ['a']],
  ['Markdown', '**Doc 1:** a\n\n**Document 2**: b\n- Doc 3: c\n### Doc 4: d', ['a', 'b', 'c', 'd']],
  ['brackets', '[Doc 1]: a\n(Doc 2): b', ['a', 'b']],
  ['titles', 'Doc 1 (Title: Peru): a\nDoc 2(Lima): b', ['a', 'b']],
  ['other signs', 'Doc 1. a\nDoc 2 - b\nDOC 3 : c', ['a', 'b', 'c']],
  ['several lines in one', 'Doc 1: a\n  b\n\nDoc 2: c', ['a b', 'c']],
  ['no space between', 'Doc 1: a.Doc 2: b', ['a.', 'b']],
  ['empty ones', 'Doc 1:\nDoc 2: b\nDoc 3: **', ['b']],
  ['a thought before', '<think>Doc 1: draft</think>\nDoc 1: a', ['a']],
  ['words after the end', 'Doc 1: a</information> Doc 2: b', ['a']],
  ['no documents', 'I cannot help with that.', []],
  ['numbers that are no heads', 'Doc 1: see doc 1.5 and doc 2-hour', ['see doc 1.5 and doc 2-hour']],
  ['a word that only begins so', 'The doctrine 1: x', []],
  ['nothing', '', []],
])('%s', (_, text, expected) => {
  expect(texts(text)).toEqual(expected)
})

test('whatever text comes, documents are numbered from 1 and hold something', () => {
  const piece = fc.oneof(
    fc.constantFrom('Doc 1:', 'doc', ' 2', ':', '\n', '**', '<think>', '</information>'),
    fc.string(),
  )
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      parseDocuments(pieces.join('')).forEach(({ text, rank }, i) => {
        expect(rank).toBe(i + 1)
        expect(text.trim()).toBe(text)
        expect(text).not.toBe('')
      })
    }),
    { numRuns: 500 },
  )
})

test('documents that were written are read back', () => {
  const word = fc.stringMatching(/^[a-zé東]{1,8}$/).filter((text) => !text.startsWith('doc'))
  const document = fc.array(word, { minLength: 1, maxLength: 8 }).map((words) => words.join(' '))
  fc.assert(
    fc.property(fc.array(document), fc.constantFrom('\n', ' ', '\n\n'), (documents, between) => {
      expect(texts(documents.map((text, i) => `Doc ${i + 1}: ${text}.`).join(between))).toEqual(
        documents.map((text) => `${text}.`),
      )
    }),
  )
})

test('a long text without documents is read in time', () => {
  const started = performance.now()
  for (const text of ['(['.repeat(50_000), 'Doc 1 ('.repeat(10_000), ' '.repeat(100_000), '<think>'.repeat(10_000)]) {
    parseDocuments(text)
  }
  expect(performance.now() - started).toBeLessThan(2000)
})
