import { expect, test } from 'vitest'
import { miniProtocol } from '../../src/mini/protocol.js'
import { rollOut, rollOutMany } from '../../src/rollout/roll-out.js'
import type { Question } from '../../src/schema/question.js'
import { trajectorySchema } from '../../src/schema/record-schemas.js'
import type { SearchEngine } from '../../src/search/search-engine.js'
import { noiseThreshold, drawQuality } from '../../src/simulator/curriculum.js'
import { createSimulator } from '../../src/simulator/simulator.js'
import { scriptedPolicy } from './scripted-policy.js'

const question: Question = { id: 'q', dataset: 'd', question: 'who?', goldAnswers: ['Ada'] }
const searchEngine: SearchEngine = { name: 'none', search: () => Promise.resolve([]) }
const greedy = { temperature: 0, topP: 1, topK: 0 }
const policy = scriptedPolicy((turn) => (turn === 0 ? '<search> x</search>' : '<answer> Ada</answer>'))

test.each([
  [{ sampling: { ...greedy, temperature: NaN } }, 'sampling.temperature must be 0 (greedy) or at least 0.001, got NaN'],
  [{ sampling: { ...greedy, temperature: -1 } }, 'sampling.temperature must be 0 (greedy) or at least 0.001, got -1'],
  [{ sampling: { ...greedy, temperature: 1e-9 } }, 'sampling.temperature must be 0 (greedy) or at least 0.001'],
  [{ sampling: { ...greedy, topP: 0 } }, 'sampling.topP must be more than 0, got 0; 1 keeps all tokens'],
  [{ sampling: { ...greedy, topP: 1.5 } }, 'sampling.topP must be at most 1, got 1.5'],
  [{ sampling: { ...greedy, topK: -1 } }, 'sampling.topK must be at least 0, got -1; 0 keeps all tokens'],
  [{ sampling: { ...greedy, topk: 1 } }, 'sampling: there is no option topk; did you mean topK?'],
  [{ sampling: { temperature: 1 } }, 'sampling.topP must be a finite number, got undefined'],
  [{ maxSearches: -1 }, 'maxSearches must be at least 0, got -1'],
  [{ maxSearches: NaN }, 'maxSearches must be an integer, got NaN'],
  [{ topK: 0 }, 'topK must be a positive integer, got 0'],
  [{ topK: 2.5 }, 'topK must be a positive integer, got 2.5'],
  [{ seed: NaN }, 'seed must be an integer, got NaN'],
  [{ quality: 'noisy' }, "quality must be a function, got 'noisy'"],
  [{ searchEngine: undefined }, 'searchEngine must be a search engine, got undefined'],
  [{ serchEngine: 1 }, 'there is no option serchEngine; did you mean searchEngine?'],
  [{ protocol: { ...miniProtocol, maxTokens: NaN } }, 'protocol: maxTokens must be a positive integer, got NaN'],
  [{ protocol: { ...miniProtocol, maxTokensPerTurn: 0 } }, 'protocol: maxTokensPerTurn must be a positive integer'],
])('roll out refuses %o before anything is played', async (change, message) => {
  const options = { searchEngine, protocol: miniProtocol, ...change } as never
  await expect(rollOut(policy, question, options)).rejects.toThrow(`roll out: ${message}`)
  const many = rollOutMany(policy, [{ question, seed: 1 }], options)
  if (!('seed' in change)) await expect(many).rejects.toThrow(`roll out: ${message}`)
  else await many.catch(() => undefined)
  expect(policy.open()).toBe(0)
})

test('a wrong seed of any item is named', async () => {
  const items = [1, NaN].map((seed) => ({ question, seed }))
  await expect(rollOutMany(policy, items, { searchEngine })).rejects.toThrow(
    'roll out: seeds.1 must be an integer, got NaN',
  )
})

test('simulator and curriculum refuse what they cannot use', () => {
  expect(() => createSimulator(policy, { temperature: NaN })).toThrow(
    'create simulator: temperature must be 0 (greedy)',
  )
  expect(() => createSimulator(policy, { temprature: 1 } as never)).toThrow('did you mean temperature?')
  const curriculum = { start: 0, end: 1 }
  expect(() => noiseThreshold(curriculum, NaN, 10)).toThrow('curriculum: update must be an integer, got NaN')
  expect(() => noiseThreshold(curriculum, 0, 0)).toThrow('curriculum: updates must be at least 1, got 0')
  expect(() => noiseThreshold({ ...curriculum, base: NaN }, 0, 1)).toThrow('got { start: 0, end: 1, base: NaN }')
  expect(() => drawQuality(NaN, 0, 0)).toThrow('draw quality: threshold must be a probability in [0, 1], got NaN')
})

const cyclic: Record<string, unknown> = { rank: 1 }
cyclic['text'] = cyclic
test.each<[string, unknown]>([
  ['undefined', undefined],
  ['null', null],
  ['a text', 'Ada'],
  ['an object', { documents: [] }],
  ['a document without text', [{ rank: 1 }]],
  ['a hole', Array(2)],
  ['a number as text', [{ text: 5, rank: 1 }]],
  ['a NaN score', [{ text: 'a', rank: 1, score: NaN }]],
  ['a big integer as rank', [{ text: 'a', rank: 1n }]],
  ['a cycle', [cyclic]],
])('an engine that gives %s fails its rollout alone, and the record says so', async (_, found) => {
  const engine = {
    name: 'odd',
    search: () => Promise.resolve(found),
  } as unknown as SearchEngine
  const calm = scriptedPolicy((turn, heard) =>
    turn === 0 && heard.includes('odd') ? '<search> x</search>' : '<answer> Ada</answer>',
  )
  const items = ['plain', 'odd', 'plain'].map((text, seed) => ({ question: { ...question, question: text }, seed }))
  const all = await rollOutMany(calm, items, { searchEngine: engine, protocol: miniProtocol })
  expect(all.map(({ stopReason }) => stopReason)).toEqual(['answer', 'failed', 'answer'])
  expect(all[1]!.failure).toEqual({
    boundary: 'search',
    message: expect.stringMatching(/^search: documents\S* must/) as string,
  })
  for (const trajectory of all)
    expect(trajectorySchema.parse(JSON.parse(JSON.stringify(trajectory)))).toEqual(trajectory)
  expect(calm.open()).toBe(0)
})

test.each<[string, unknown, string]>([
  ['undefined', undefined, 'undefined'],
  ['an object without prototype', Object.create(null), '{}'],
  ['a symbol', Symbol('s'), 'Symbol(s)'],
])('an engine that throws %s is recorded', async (_, thrown, message) => {
  const engine: SearchEngine = {
    name: 'odd',
    search: () => {
      throw thrown
    },
  }
  const { failure } = await rollOut(policy, question, { searchEngine: engine, protocol: miniProtocol })
  expect(failure?.boundary).toBe('search')
  expect(failure?.message).toContain(message)
})

test('a prompt that cannot be written fails its rollout alone', async () => {
  const protocol: typeof miniProtocol = {
    ...miniProtocol,
    prompt(tokenizer, text) {
      if (text === 'bad') throw new Error('the chat template refuses the messages')
      return miniProtocol.prompt(tokenizer, text)
    },
  }
  const items = ['good', 'bad', 5 as never].map((text, seed) => ({ question: { ...question, question: text }, seed }))
  const all = await rollOutMany(policy, items, { searchEngine, protocol })
  expect(all.map(({ failure }) => failure?.boundary)).toEqual([undefined, 'policy', 'policy'])
  expect(policy.open()).toBe(0)
})

test('a document of any length is cut to its place; what an engine adds to it is not kept', async () => {
  const long = [{ text: 'word '.repeat(20_000), rank: 1, embedding: 5n }]
  const engine: SearchEngine = { name: 'long', search: () => Promise.resolve(long) }
  const trajectory = await rollOut(policy, question, { searchEngine: engine, protocol: miniProtocol })
  expect(trajectory.failure).toBeUndefined()
  expect(trajectory.ids.length).toBeLessThan(400)
  expect(trajectory.turns[0]!.observation!.documents).toEqual([{ text: long[0]!.text, rank: 1 }])
})
