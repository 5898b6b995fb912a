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
  ['a thought that the prompt opened', 'Doc 1: draft</think>\nDoc 1: a', ['a']],
  ['a thought that is not closed', 'Doc 1: a<think>Doc 2: draft', ['a']],
  ['a numbered list', 'Here you are:\n1. a\n2. b\n\n3. c', ['a', 'b', 'c']],
  ['a list with brackets', '1) a\n2) b', ['a', 'b']],
  ['a list in brackets', '[1] a\n[2] b', ['a', 'b']],
  ['a list of titles', '- 1. **Peru**: a\n- 2. **Lima**: b', ['**Peru**: a', '**Lima**: b']],
  ['a list with marks', '**1.** a\n**2.** b\n### 3. c\n  4: d', ['a', 'b', 'c', 'd']],
  ['a list without blanks', '1.a\n2.b', ['a', 'b']],
  ['a list in one of its items', '1. a\n1. x\n9. y\n2. b', ['a 1. x 9. y', 'b']],
  ['points without numbers', '- a\n- b', []],
  ['lines with other numbers', '1984 was a year.\n1.5 million\n2. b\n12:30', []],
  ['a list in a document', 'Doc 1: a\n1. x\n2. y\nDoc 2: b', ['a 1. x 2. y', 'b']],
  ['Chinese signs', 'Doc 1：利马是秘鲁的首都。Doc 2：库斯科更高。', ['利马是秘鲁的首都。', '库斯科更高。']],
  ['a list with Chinese signs', '1：利马\n2．库斯科\n3、卡亚俄', ['利马', '库斯科', '卡亚俄']],
  ['nothing', '', []],
])('%s', (_, text, expected) => {
  expect(texts(text)).toEqual(expected)
})

test('whatever text comes, documents are numbered from 1 and hold something', () => {
  const piece = fc.oneof(
    fc.constantFrom('Doc 1:', 'doc', ' 2', ':', '\n', '**', '<think>', '</think>', '</information>'),
    fc.constantFrom('\n1. ', '\n2) ', '\n- **3.**', '[', '(', '\ud800'),
    fc.string({ unit: 'binary' }),
  )
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      parseDocuments(pieces.join('')).forEach(({ text, rank }, i) => {
        expect(rank).toBe(i + 1)
        expect(text.trim()).toBe(text)
        expect(text).not.toBe('')
      })
    }),
    { numRuns: 10_000 },
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

test('a long text is read in time, whatever it repeats', () => {
  const started = performance.now()
  const pieces = [
    '([',
    'Doc 1 (',
    ' ',
    '<think>',
    '</think>',
    '\n',
    '\n1. ',
    '\n[',
    '1',
    '**',
    '\t',
    '- ',
    'doc ',
    '. ***',
  ]
  for (const piece of pieces) {
    parseDocuments(piece.repeat(200_000 / piece.length))
    parseDocuments(`Doc 1${piece.repeat(200_000 / piece.length)}`)
    parseDocuments(Array.from({ length: 10_000 }, (_, i) => `\n${i}.${piece}`).join(''))
  }
  expect(performance.now() - started).toBeLessThan(5000)
})
