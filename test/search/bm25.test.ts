import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createBm25Engine, tokenize } from '../../src/search/bm25.js'
import type { Question } from '../../src/schema/question.js'

const question: Question = { id: 'x-0', dataset: 'x', question: '?', goldAnswers: ['!'] }

interface Fixture {
  documents: string[]
  cases: { k1: number; b: number; query: string; scores: Record<string, number> }[]
}

describe('parity with bm25s', () => {
  const path = new URL('../parity/fixtures/bm25.json', import.meta.url)
  const { documents, cases } = JSON.parse(readFileSync(path, 'utf8')) as Fixture
  const indexed = documents.map((text) => ({ text }))

  test.each(cases)('k1 $k1, b $b: "$query" finds the same documents with the same scores', async (golden) => {
    const engine = createBm25Engine(indexed, golden)
    const found = await engine.search(golden.query, { question, topK: documents.length })
    const byText = new Map(found.map(({ text, score }) => [text, score!]))
    const expected = Object.entries(golden.scores)
    expect(found).toHaveLength(expected.length)
    for (const [id, score] of expected) {
      expect(Math.abs(byText.get(documents[Number(id)]!)! - score)).toBeLessThan(2e-6)
    }
    // Ranked: best first, equal scores in the order of the documents.
    const order = expected.map(([id, score]) => ({ id: Number(id), score }))
    order.sort((a, b) => b.score - a.score || a.id - b.id)
    order.forEach(({ score }, i) => expect(Math.abs(found[i]!.score! - score)).toBeLessThan(2e-6))
  })
})

test('ties go to the earlier document', async () => {
  const engine = createBm25Engine([{ title: 'b', text: 'same' }, { text: 'other' }, { title: 'a', text: 'same' }])
  const found = await engine.search('same', { question, topK: 5 })
  expect(found.map(({ title, rank }) => [title, rank])).toEqual([
    ['b', 1],
    ['a', 2],
  ])
})

test('a title is searched too', async () => {
  const engine = createBm25Engine([{ text: 'a river' }, { title: 'Amazon', text: 'a river' }])
  const [first] = await engine.search('amazon', { question, topK: 1 })
  expect(first).toEqual({ title: 'Amazon', text: 'a river', rank: 1, score: expect.any(Number) as number })
})

test('one search leaves nothing behind for the next', async () => {
  const engine = createBm25Engine([{ text: 'red apple' }, { text: 'green apple' }])
  const before = await engine.search('green', { question, topK: 2 })
  await engine.search('red apple', { question, topK: 2 })
  expect(await engine.search('green', { question, topK: 2 })).toEqual(before)
})

test('nothing found is an empty list; an empty index finds nothing', async () => {
  expect(await createBm25Engine([{ text: 'apple' }]).search('pear', { question, topK: 5 })).toEqual([])
  expect(await createBm25Engine([]).search('pear', { question, topK: 5 })).toEqual([])
})

test('every document is found by its own words, first where it is the only one to have them', async () => {
  const word = fc.stringMatching(/^[a-z]{1,6}$/)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(word, { minLength: 1, maxLength: 6 }), { minLength: 1 }), async (texts) => {
      const documents = texts.map((words, i) => ({ text: `${words.join(' ')} unique${i}` }))
      const engine = createBm25Engine(documents)
      for (let i = 0; i < documents.length; i++) {
        const found = await engine.search(`unique${i}`, { question, topK: 3 })
        expect(found.map((document) => document.text)).toEqual([documents[i]!.text])
      }
    }),
    { numRuns: 30 },
  )
})

test('words are cut as Python’s \\w+ cuts them', () => {
  expect(tokenize("Łódź's x² snake_case U.S. 東京")).toEqual(['łódź', 's', 'x²', 'snake_case', 'u', 's', '東京'])
  expect(tokenize('')).toEqual([])
})

test('bad options and contexts are refused by name', async () => {
  expect(() => createBm25Engine([], { k1: -1 })).toThrow('bm25: k1 must be a number of at least 0, got -1')
  expect(() => createBm25Engine([], { b: 2 })).toThrow('bm25: b must be in [0, 1], got 2')
  await expect(createBm25Engine([]).search('x', { question, topK: 0 })).rejects.toThrow(
    'topK must be a positive integer',
  )
})
