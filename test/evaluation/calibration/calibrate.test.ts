import { expect, test, vi } from 'vitest'
import { calibrateSimulator } from '../../../src/evaluation/calibration/calibrate.js'
import type { LanguageModel } from '../../../src/language-model/language-model.js'
import { calibration as calibrationFigure } from '../../../src/plot/calibration.js'
import type { Question } from '../../../src/schema/question.js'
import type { SearchEngine } from '../../../src/search/search-engine.js'
import { createSimulator } from '../../../src/simulator/simulator.js'
import { compile } from '../../../src/tensor/compile.js'
import type { Traced } from '../../../src/tensor/compile.js'
import { wilsonInterval } from '../../../src/statistics/wilson-interval.js'
import { calibrationDocuments, calibrationTable } from '../../../src/table/calibration-table.js'

const questions: Question[] = Array.from({ length: 20 }, (_, i) => ({
  id: `q${i}`,
  dataset: 'd',
  question: `What is the capital of land ${i}?`,
  goldAnswers: [`Town${i}`],
}))

/** Writes three documents: of 20 useful searches 15 hold the answer, in one document; noisy ones never do. */
const writer: LanguageModel = {
  name: 'writer',
  complete(prompt) {
    const text = (prompt as readonly { content: string }[])[0]!.content
    const i = Number(/land (\d+)/.exec(text)![1])
    const told = text.includes('Write 3 useful') && i % 4 !== 0 ? `Its capital is Town${i}.` : 'Nothing is known.'
    const written = i === 7 ? 'I cannot <b>search</b>.' : `Doc 1: Land ${i}. ${told} Doc 2: A lake. Doc 3: A hill.`
    return Promise.resolve({ text: written, finishReason: 'end', promptTokens: 40, completionTokens: 20, cost: 0.5 })
  },
}
const engine: SearchEngine = {
  name: 'library',
  search: (query) =>
    Promise.resolve([
      { title: 'Lands', text: `${query} It is Town${/\d+/.exec(query)![0]}, as maps of old say.`, rank: 1 },
    ]),
}
const calibrate = (simulator: SearchEngine = createSimulator(writer)) =>
  calibrateSimulator(simulator, engine, questions, { topK: 3, progress: false })

test('every share is what counting by hand gives', async () => {
  const { useful, noisy, real, searches } = await calibrate()
  // Numbers 0, 4, … 16 are not told, and number 7 wrote no documents.
  expect(useful.holdsAnswer).toEqual({ count: 14, of: 20, share: 0.7, ...wilsonInterval(0.7, 20) })
  expect(useful.documentHoldsAnswer).toMatchObject({ count: 14, of: 57 })
  expect(useful.parsed).toMatchObject({ count: 57, of: 60, share: 0.95 })
  expect(useful.complete).toMatchObject({ count: 19, of: 20 })
  expect(useful.repeated).toMatchObject({ count: 36, of: 57 })
  expect(useful.tokens).toEqual({ prompt: 40, completion: 20 })
  expect(useful.cost).toBe(0.5)
  expect(noisy.holdsAnswer).toMatchObject({ count: 0, of: 20, low: 0 })
  expect(real).toMatchObject({
    holdsAnswer: { count: 20 },
    holdsAnswerByChance: { count: 0 },
    parsed: { count: 20, of: 60 },
  })
  expect(real).not.toHaveProperty('tokens')
  expect(searches).toHaveLength(60)
})

test('what could not be read is kept', async () => {
  const { searches } = await calibrate()
  const unread = searches.filter(({ text, quality }) => text !== undefined && quality === 'useful')
  expect(unread).toMatchObject([{ questionId: 'q7', documents: [], text: 'I cannot <b>search</b>.' }])
})

test('an engine measured against itself is no distance away; any engine can be measured', async () => {
  const { style, useful } = await calibrateSimulator(engine, engine, questions, { topK: 3, progress: false })
  expect(style.useful).toMatchObject({ divergence: 0, told: { share: 0.5 } })
  expect(style.useful!.told!.pValue).toBeGreaterThan(0.4)
  expect(useful.holdsAnswer.share).toBe(1)
})

test('a simulator of another style is told apart', async () => {
  const { style } = await calibrate()
  expect(style.useful!.divergence).toBeGreaterThan(5 * style.useful!.divergenceByChance)
  expect(style.useful!.told!.share).toBeGreaterThan(0.7)
  expect(style.useful!.told!.pValue).toBeLessThan(0.01)
})

test('a question may come with its query, as the examples of a simulator’s data do', async () => {
  const asked: (readonly [string, string])[] = []
  const listening: SearchEngine = {
    name: 'listening',
    search(query, { question }) {
      asked.push([query, question.id])
      return engine.search(query, { question, topK: 1 })
    },
  }
  const [first, second] = questions as [Question, Question]
  const given = [{ question: first, query: 'land 0' }, second, { question: first, query: 'capital of land 0' }]
  const { searches } = await calibrateSimulator(listening, engine, given, { query: () => 'land 1', progress: false })
  const expected = [
    ['land 0', 'q0'],
    ['land 1', 'q1'],
    ['capital of land 0', 'q0'],
  ]
  expect(asked).toEqual([...expected, ...expected])
  expect(searches.map(({ query, questionId }) => [query, questionId])).toEqual([...expected, ...expected, ...expected])
  const none = [{ question: first }] as never
  await expect(calibrateSimulator(engine, engine, none)).rejects.toThrow('must be a question, or { question, query }')
})

test('what is compiled while a search waits is not counted as its time', async () => {
  // What is traced is the time that the body takes here.
  const slow = compile('slow', ({ x }: Traced<{ x: number }>) => {
    const end = performance.now() + 300
    while (performance.now() < end);
    return { doubled: x.mul(2) }
  })
  // TensorFlow's own beginning is no compilation.
  await compile('first', ({ x }: Traced<{ x: number }>) => ({ doubled: x.mul(2) }))({ x: 1 }, {})
  const compiling: SearchEngine = {
    name: 'compiling',
    async search(query, context) {
      if (query.includes('land 3')) await slow({ x: 1 }, {})
      return engine.search(query, context)
    },
  }
  const { compileSeconds, searches } = await calibrateSimulator(compiling, engine, questions, { progress: false })
  expect(compileSeconds).toBeGreaterThan(0.29)
  const waited = searches.find(({ quality, questionId }) => quality === 'useful' && questionId === 'q3')!
  expect(waited.seconds).toBeLessThan(0.25)
})

test('what fails is counted and told, and most of it ends the calibration', async () => {
  const warn = vi.spyOn(console, 'warn').mockReturnValue()
  const failing = (share: number): SearchEngine => ({
    name: 'shaky',
    search(query, context) {
      if (Number(/\d+/.exec(query)![0]) < share * 20) return Promise.reject(new Error('HTTP 503'))
      return engine.search(query, context)
    },
  })
  const { useful, searches } = await calibrate(failing(0.25))
  expect(useful).toMatchObject({ searches: 20, failed: 5, holdsAnswer: { count: 15, of: 15 } })
  expect(searches.filter(({ failure }) => failure === 'HTTP 503')).toHaveLength(10)
  expect(warn.mock.calls.flat()).toContain(
    'calibrate simulator: 5 of 20 searches of shaky failed; commonest cause (5): HTTP 503',
  )
  await expect(calibrate(failing(0.6))).rejects.toThrow('12 of 20 searches of shaky failed')
  warn.mockRestore()
})

test('documents of an engine that are none fail the search', async () => {
  vi.spyOn(console, 'warn').mockReturnValue()
  const odd: SearchEngine = { name: 'odd', search: () => Promise.resolve([{ text: 5 }] as never) }
  await expect(calibrate(odd)).rejects.toThrow('20 of 20 searches of odd failed')
  vi.restoreAllMocks()
})

test('options are checked', async () => {
  const ask = (options: object) => calibrateSimulator(engine, engine, questions, options)
  await expect(ask({ topk: 3 })).rejects.toThrow('calibrate simulator: there is no option topk; did you mean topK?')
  await expect(calibrateSimulator(engine, engine, [])).rejects.toThrow('questions must have a length of at least 1')
  await expect(calibrateSimulator({} as never, engine, questions)).rejects.toThrow('simulator must be a search engine')
  const stop = new AbortController()
  stop.abort(new Error('enough'))
  await expect(ask({ signal: stop.signal, progress: false })).rejects.toThrow('enough')
})

test('tables: kinds of every simulator, the real engine once; each document with its judgement', async () => {
  const [first, second] = [await calibrate(), { ...(await calibrate()), simulator: 'other' }]
  const rows = calibrationTable([first, second]).objects() as Record<string, unknown>[]
  expect(rows.map(({ engine, documents }) => [engine, documents])).toEqual([
    ['simulator writer', 'useful'],
    ['simulator writer', 'noisy'],
    ['other', 'useful'],
    ['other', 'noisy'],
    ['library', 'real'],
  ])
  expect(rows[0]).toMatchObject({ holdsAnswer: 0.7, parsed: 0.95, told: 0.8, promptTokens: 40 })
  expect(rows[4]).toMatchObject({ told: null, promptTokens: null, holdsAnswer: 1 })
  const documents = calibrationDocuments(first).objects() as Record<string, unknown>[]
  expect(documents).toHaveLength(57 + 1 + 57 + 1 + 20)
  expect(documents.filter(({ documents, holdsAnswer }) => documents === 'useful' && holdsAnswer)).toHaveLength(14)
  expect(documents.find(({ text }) => text === null)).toMatchObject({ questionId: 'q7', holdsAnswer: null })
})

test('the figure has a bar for each kind and measure, with the intervals of shares', async () => {
  const calibration = await calibrate()
  const { data } = calibrationFigure([calibration])
  expect(data).toHaveLength(18)
  expect(data[0]).toMatchObject({ name: 'useful', x: ['simulator writer'], y: [0.7] })
  const { low, high } = calibration.useful.holdsAnswer
  expect(data[0]!['error_y']).toMatchObject({
    array: [expect.closeTo(high! - 0.7, 12)],
    arrayminus: [expect.closeTo(0.7 - low!, 12)],
  })
  expect(data[6]).not.toHaveProperty('error_y')
  expect(() => calibrationFigure([])).toThrow('there must be at least one calibration')
})
