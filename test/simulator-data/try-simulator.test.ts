// The measures by hand, on a simulator that writes what the test says.
import { expect, test } from 'vitest'
import type { SearchEngine } from '../../src/search/search-engine.js'
import { trySimulator } from '../../src/simulator-data/try-simulator.js'
import { questions } from './cities.js'

const [first, second] = questions as [(typeof questions)[0], (typeof questions)[0]]
const examples = [
  { quality: 'useful' as const, question: first, query: 'a', documents: ['River0 flows.', 'A mill stands here.'] },
  { quality: 'noisy' as const, question: second, query: 'b', documents: ['Nothing.'] },
]

test('counts answers, documents, words and pairs of words', async () => {
  const asked: unknown[] = []
  const simulator: SearchEngine = {
    name: 'by hand',
    search(query, { quality, topK, seed }) {
      asked.push([query, quality, topK, seed])
      const texts =
        quality === 'noisy'
          ? query === 'b'
            ? []
            : ['It is River0!']
          : query === 'a'
            ? ['River0 river0 river0', 'x y']
            : ['no']
      return Promise.resolve(texts.map((text, i) => ({ text, rank: i + 1 })))
    },
  }
  const trials = await trySimulator(simulator, examples, { seed: 7 })
  expect(asked).toEqual([
    ['a', 'useful', 2, 7],
    ['a', 'noisy', 2, 7],
    ['b', 'useful', 1, 8],
    ['b', 'noisy', 1, 8],
  ])
  // Pairs: river0 river0 twice, x y.
  expect(trials[0]).toEqual({
    name: 'by hand',
    quality: 'useful',
    searches: 2,
    withAnswer: 0.5,
    complete: 1,
    documents: 1.5,
    words: 2,
    distinct2: 2 / 3,
  })
  // One of two is asked of a, none of one of b.
  expect(trials[1]).toEqual({
    name: 'by hand',
    quality: 'noisy',
    searches: 2,
    withAnswer: 0.5,
    complete: 0,
    documents: 0.5,
    words: 3,
    distinct2: 1,
  })
  expect(trials.slice(2)).toMatchObject([
    { name: 'examples', quality: 'useful', searches: 1, withAnswer: 1, complete: 1, documents: 2, words: 3 },
    { name: 'examples', quality: 'noisy', searches: 1, withAnswer: 0, complete: 1, documents: 1, words: 1 },
  ])
})
