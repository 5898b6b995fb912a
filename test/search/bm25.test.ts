import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createBm25Engine } from '../../src/search/bm25.js'
import { buildBm25Index, tokenize } from '../../src/search/bm25-index.js'
import type { Document } from '../../src/schema/document.js'
import type { Question } from '../../src/schema/question.js'
import { createRandom } from '../../src/random/seeded-random.js'

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
    const engine = await createBm25Engine(indexed, { k1: golden.k1, b: golden.b })
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
  const engine = await createBm25Engine([{ title: 'b', text: 'same' }, { text: 'other' }, { title: 'a', text: 'same' }])
  const found = await engine.search('same', { question, topK: 5 })
  expect(found.map(({ title, rank }) => [title, rank])).toEqual([
    ['b', 1],
    ['a', 2],
  ])
})

test('a title is searched too', async () => {
  const engine = await createBm25Engine([{ text: 'a river' }, { title: 'Amazon', text: 'a river' }])
  const [first] = await engine.search('amazon', { question, topK: 1 })
  expect(first).toEqual({ title: 'Amazon', text: 'a river', rank: 1, score: expect.any(Number) as number })
})

test('one search leaves nothing behind for the next', async () => {
  const engine = await createBm25Engine([{ text: 'red apple' }, { text: 'green apple' }])
  const before = await engine.search('green', { question, topK: 2 })
  await engine.search('red apple', { question, topK: 2 })
  expect(await engine.search('green', { question, topK: 2 })).toEqual(before)
})

test('nothing found is an empty list, also where no document has a word', async () => {
  for (const text of ['apple', '', '…']) {
    const engine = await createBm25Engine([{ text }])
    expect(await engine.search('pear', { question, topK: 5 })).toEqual([])
  }
})

test('every document is found by its own words, first where it is the only one to have them', async () => {
  const word = fc.stringMatching(/^[a-z]{1,6}$/)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(word, { minLength: 1, maxLength: 6 }), { minLength: 1 }), async (texts) => {
      const documents = texts.map((words, i) => ({ text: `${words.join(' ')} unique${i}` }))
      const engine = await createBm25Engine(documents)
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

describe('making the index', () => {
  const random = createRandom(0)
  const words = (count: number): string =>
    Array.from({ length: count }, () => `w${Math.floor(20_000 ** random()).toString(36)}`).join(' ')

  test.each([
    ['many documents', () => Array.from({ length: 8000 }, () => ({ text: words(100) }))],
    ['one document as long as a shelf of books', () => [{ text: words(800_000) }]],
  ])('leaves the event loop free: %s', async (_, make) => {
    const documents = make()
    const ticks: number[] = []
    const timer = setInterval(() => ticks.push(performance.now()), 1)
    const progress: number[] = []
    await createBm25Engine(documents, { onProgress: (done, total) => progress.push(done / total) })
    clearInterval(timer)
    // Coarse, for other programs have the processor too: in one piece this takes some hundred milliseconds.
    expect(ticks.length).toBeGreaterThan(5)
    expect(progress.at(-1)).toBe(1)
    expect(progress).toEqual([...progress].sort((a, b) => a - b))
  })

  test('counts every word of a text that is read in pieces, none of them cut', async () => {
    // 70,000 letters of two UTF-16 units each, without and with spaces: a piece must end neither in a letter nor in a word.
    const long = '𝒜'.repeat(70_000)
    const spaced = '𝒜b '.repeat(50_000)
    const index = await buildBm25Index([{ text: `${long} ${spaced}` }, { text: '𝒜b' }], 1.5, 0.75, () => undefined)
    expect([...index.terms.keys()]).toEqual([long, '𝒜b'].map((word) => word.toLowerCase()))
    expect([...index.documents]).toEqual([0, 0, 1])
    const average = (50_001 + 1) / 2
    const score = (count: number, length: number, frequency: number): number =>
      (Math.log(1 + (2 - frequency + 0.5) / (frequency + 0.5)) * count) /
      (count + 1.5 * (0.25 + (0.75 * length) / average))
    const expected = [score(1, 50_001, 1), score(50_000, 50_001, 2), score(1, 1, 2)]
    expected.forEach((value, i) => expect(Math.abs(index.scores[i]! - value)).toBeLessThan(1e-6))
  })

  test('what the caller does to the list meanwhile changes nothing', async () => {
    const documents = Array.from({ length: 3000 }, (_, i) => ({ text: `${words(100)} unique${i}` }))
    const texts = documents.map(({ text }) => text)
    const making = createBm25Engine(documents)
    documents.reverse()
    documents.length = 10
    const engine = await making
    for (const i of [0, 1500, 2999]) {
      const found = await engine.search(`unique${i}`, { question, topK: 1 })
      expect(found.map(({ text }) => text)).toEqual([texts[i]])
    }
  })
})

test('the best of many documents are those that sorting all of them gives', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 9 }), {
        minLength: 100,
        maxLength: 400,
      }),
      fc.integer({ min: 1, max: 30 }),
      async (texts, topK) => {
        const engine = await createBm25Engine(texts.map((text, i) => ({ title: `${i}`, text: text.join(' ') })))
        const all = await engine.search('a b', { question, topK: texts.length })
        const place = ({ score, title }: Document): [number, number] => [-score!, Number(title)]
        const sorted = [...all].sort((a, b) => place(a)[0] - place(b)[0] || place(a)[1] - place(b)[1])
        expect(all).toEqual(sorted)
        expect(await engine.search('a b', { question, topK })).toEqual(all.slice(0, topK))
      },
    ),
    { numRuns: 50 },
  )
})

test('bad documents, options and contexts are refused by name', async () => {
  const one = [{ text: 'apple' }]
  const refused = (make: unknown): Promise<string> =>
    (make as Promise<unknown>).then(
      () => 'accepted',
      (error: unknown) => (error as Error).message,
    )
  expect(await refused(createBm25Engine([]))).toBe('bm25: there must be at least one document, got none')
  expect(await refused(createBm25Engine(Promise.resolve(one) as never))).toMatch('documents must be a list, got object')
  expect(await refused(createBm25Engine([...one, { contents: 'x' } as never]))).toBe(
    'bm25: the text of a document must be a string, got undefined at index 1',
  )
  expect(await refused(createBm25Engine([{ text: 'x', title: 7 } as never]))).toBe(
    'bm25: the title of a document must be a string, got 7 at index 0',
  )
  expect(await refused(createBm25Engine(one, { k1: -1 }))).toBe('bm25: k1 must be at least 0, got -1')
  expect(await refused(createBm25Engine(one, { k1: NaN }))).toBe('bm25: k1 must be a finite number, got NaN')
  expect(await refused(createBm25Engine(one, { k1: Infinity }))).toMatch('k1 must be a finite number')
  expect(await refused(createBm25Engine(one, { b: 2 }))).toBe('bm25: b must be at most 1, got 2')
  expect(await refused(createBm25Engine(one, { b: NaN }))).toMatch('b must be a finite number, got NaN')
  expect(await refused(createBm25Engine(one, { K1: 1 } as never))).toMatch('did you mean k1?')
  const engine = await createBm25Engine(one)
  for (const topK of [0, 1.5, NaN, undefined as never]) {
    await expect(engine.search('x', { question, topK })).rejects.toThrow('topK must be a positive integer')
  }
  await expect(engine.search(undefined as never, { question, topK: 1 })).rejects.toThrow('query must be a text')
})
