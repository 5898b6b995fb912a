// The folder of an evaluation: what is in it, how it goes on, what it refuses.
import { execFileSync } from 'node:child_process'
import { appendFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { evaluate } from '../../src/evaluation/evaluate.js'
import { attempt } from '../../src/evaluation/methods/attempt.js'
import { directMethod } from '../../src/evaluation/methods/direct.js'
import { ragMethod } from '../../src/evaluation/methods/rag.js'
import type { Method } from '../../src/evaluation/method.js'
import { readScores } from '../../src/evaluation/results-file.js'
import { readParquet } from '../../src/file/parquet.js'
import { createRandom } from '../../src/random/seeded-random.js'
import type { Question } from '../../src/schema/question.js'
import type { Score } from '../../src/schema/score.js'
import { trajectorySchema } from '../../src/schema/record-schemas.js'
import { createBm25Engine } from '../../src/search/bm25.js'
import { ASKED, IN_FLIGHT, askedIn, evaluateWithKills, resultsIn } from './kill-evaluation.js'

const parent = mkdtempSync(join(tmpdir(), 'results-'))
afterAll(() => rmSync(parent, { recursive: true }))
afterEach(() => vi.restoreAllMocks())

let folders = 0
const newFolder = (): string => join(parent, `results-${folders++}`)

const questions = Array.from({ length: 30 }, (_, n): Question => {
  const dataset = n < 20 ? 'one' : 'two'
  return { id: `q${n}`, dataset, question: `who is n${n}?`, goldAnswers: [`Ada ${n}`] }
})

/** Answers right where the number is even; counts what it is asked. */
function counting(name: string, settings: Record<string, unknown> = {}, play?: (n: number) => void) {
  const asked: string[] = []
  const method: Method = {
    name,
    budget: { searches: 2, turns: 3 },
    settings,
    answer: (question, context) =>
      attempt(question, context, { searches: 2, turns: 3 }, (running) => {
        asked.push(question.id)
        const n = Number(question.id.slice(1))
        play?.(n)
        running.spent.searches = n % 3
        const answer = n % 2 === 0 ? `Ada ${n}` : 'nobody \ud800'
        running.say(answer, { kind: 'answer', answer })
        return Promise.resolve({ answer, stopReason: 'answer' })
      }),
  }
  return { method, asked }
}

const untimed = (scores: readonly Score[]) => scores.map((score) => ({ ...score, seconds: 0 }))
const linesOf = (folder: string, name: string): Record<string, unknown>[] =>
  readFileSync(join(folder, name), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
const fileOf = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'evaluation.json'), 'utf8')) as {
    manifest: { methods: Record<string, { settings: Record<string, unknown> }> }
    sessions: { scoredBefore: number; questions: unknown[] }[]
    status: string
    fault?: string
  }

test('the folder has the scores as JSONL and Parquet, the trajectories, and what they are of', async () => {
  const folder = newFolder()
  const { method } = counting('m', { topK: 3 })
  const scores = await evaluate({ methods: [method], questions, saveTo: folder, trajectories: true })
  expect(readdirSync(folder).sort()).toEqual([
    'evaluation.json',
    'scores.jsonl',
    'scores.parquet',
    'trajectories.jsonl',
  ])
  expect(await readScores(folder)).toEqual(scores)
  expect(scores[1]!.answer).toBe('nobody \ufffd')
  const lines = linesOf(folder, 'scores.jsonl')
  expect(lines.map(({ questionId }) => questionId)).toEqual(questions.map(({ id }) => id))
  const rows: Record<string, unknown>[] = []
  for await (const { value } of readParquet(join(folder, 'scores.parquet'), 'scores')) rows.push(value as never)
  expect(rows).toHaveLength(30)
  expect(rows[4]).toMatchObject({ method: 'm', dataset: 'one', questionId: 'q4', answer: 'Ada 4', em: 1, searches: 1 })
  expect(rows[4]).toMatchObject({ budgetSearches: 2, budgetTurns: 3, budgetTokens: null, failure: null, cost: null })
  expect(rows[4]!['seed']).toBe(lines[4]!['seed'])
  for (const { method: name, ...trajectory } of linesOf(folder, 'trajectories.jsonl')) {
    expect(name).toBe('m')
    expect(trajectorySchema.safeParse(trajectory).success).toBe(true)
  }
  const { manifest, sessions, status } = fileOf(folder)
  expect(status).toBe('done')
  expect(manifest).toMatchObject({
    seed: 0,
    trajectories: true,
    methods: { m: { budget: { searches: 2 }, settings: { topK: 3 } } },
  })
  expect(sessions).toMatchObject([
    {
      scoredBefore: 0,
      questions: [
        { dataset: 'one', questions: 20 },
        { dataset: 'two', questions: 10 },
      ],
      zerosearch: expect.any(String) as string,
      machine: { cores: expect.any(Number) as number },
    },
  ])
})

/** A Python with what test/parity/requirements.txt names, where there is one. */
const PYTHON = [process.env['ZEROSEARCH_PARITY_PYTHON'], '.parity/venv/bin/python'].find(
  (python) => python !== undefined && existsSync(python),
)

test.skipIf(PYTHON === undefined)(
  'pandas and DuckDB read the folder',
  async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    const folder = newFolder()
    const failing = counting('some "fail"', {}, (n) => {
      if (n % 7 === 0) throw new Error('line\u2028break, \n and "quotes"')
    })
    await evaluate({ methods: [failing.method, counting('m').method], questions, saveTo: folder, trajectories: true })
    const said = execFileSync(PYTHON!, [join(import.meta.dirname, '../parity/read-results.py'), folder], {
      encoding: 'utf8',
    })
    expect(said).toBe('60 scores, 5 failed, agree\n')
  },
  60_000,
)

describe('going on', () => {
  test('asks further methods and questions alone, in whatever order they come', async () => {
    const folder = newFolder()
    const first = counting('first')
    await evaluate({ methods: [first.method], questions: questions.slice(5, 25), saveTo: folder })
    const again = counting('first')
    const second = counting('second')
    const backwards = [...questions].reverse()
    const scores = await evaluate({
      methods: [second.method, again.method],
      questions: backwards,
      saveTo: folder,
      resume: true,
    })
    expect(again.asked.sort()).toEqual([...questions.slice(0, 5), ...questions.slice(25)].map(({ id }) => id).sort())
    expect(second.asked).toHaveLength(30)
    const anew = newFolder()
    const methods = [counting('second').method, counting('first').method]
    expect(untimed(scores)).toEqual(untimed(await evaluate({ methods, questions: backwards, saveTo: anew })))
    // What stands in the folder and is not asked for now stays.
    await evaluate({
      methods: [counting('third').method],
      questions: questions.slice(0, 1),
      saveTo: folder,
      resume: true,
    })
    expect(await readScores(folder)).toHaveLength(61)
    expect(fileOf(folder).sessions.map(({ scoredBefore }) => scoredBefore)).toEqual([0, 20, 60])
  })

  test('asks what failed again: an endpoint died at question 20', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    const folder = newFolder()
    const dying = counting('m', {}, (n) => {
      if (n >= 20) throw new Error('connect ECONNREFUSED')
    })
    const scores = await evaluate({ methods: [dying.method], questions, saveTo: folder, concurrency: 3 })
    expect(warn.mock.calls[0]![0]).toContain('10 of 30 questions failed with method m')
    expect(scores.filter(({ failure }) => failure === undefined)).toHaveLength(20)
    expect((await readScores(folder)).filter(({ failure }) => failure !== undefined)).toHaveLength(10)
    const alive = counting('m')
    const whole = await evaluate({ methods: [alive.method], questions, saveTo: folder, resume: true })
    expect(alive.asked).toEqual(questions.slice(20).map(({ id }) => id))
    expect(untimed(whole)).toEqual(untimed(await evaluate({ methods: [counting('m').method], questions })))
    expect(linesOf(folder, 'scores.jsonl')).toHaveLength(30)
  })

  test('after too many failures, an error, or the stop button: what was scored is there, and why it ended', async () => {
    const folder = newFolder()
    const dead = counting('m', {}, (n) => {
      if (n >= 4) throw new Error('refused')
    })
    const evaluating = evaluate({ methods: [dead.method], questions, saveTo: folder, concurrency: 1 })
    await expect(evaluating).rejects.toThrow('16 of 20 questions failed')
    expect((await readScores(folder)).filter(({ failure }) => failure === undefined)).toHaveLength(4)
    expect(fileOf(folder)).toMatchObject({
      status: 'failed',
      fault: expect.stringContaining('16 of 20 questions') as string,
    })
    expect(existsSync(join(folder, 'scores.parquet'))).toBe(true)
    const stop = new AbortController()
    const stopped = counting('m', {}, (n) => n === 10 && stop.abort())
    const options = { questions, saveTo: folder, resume: true, concurrency: 1 }
    await expect(evaluate({ methods: [stopped.method], ...options, signal: stop.signal })).rejects.toThrow('aborted')
    expect(fileOf(folder)).toMatchObject({ status: 'stopped' })
    expect(fileOf(folder).fault).toBeUndefined()
    const last = counting('m')
    expect(await evaluate({ methods: [last.method], ...options })).toHaveLength(30)
    expect(last.asked).toEqual(questions.slice(10).map(({ id }) => id))
  })

  test('a line that was cut off, or is damaged, is asked again', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    const folder = newFolder()
    await evaluate({ methods: [counting('m').method], questions: questions.slice(0, 8), saveTo: folder })
    const path = join(folder, 'scores.jsonl')
    const lines = readFileSync(path, 'utf8').trim().split('\n')
    writeFileSync(path, [...lines.slice(0, 3), '\0\0\0', ...lines.slice(4, 7), lines[7]!.slice(0, 50)].join('\n'))
    appendFileSync(path, Buffer.from([0xc3]))
    expect(await readScores(folder)).toHaveLength(6)
    const { method, asked } = counting('m')
    const scores = await evaluate({ methods: [method], questions: questions.slice(0, 8), saveTo: folder, resume: true })
    expect(asked).toEqual(['q3', 'q7'])
    expect(scores).toHaveLength(8)
    expect(linesOf(folder, 'scores.jsonl')).toHaveLength(8)
    expect(warn.mock.calls.map(([text]) => String(text))).toEqual([
      expect.stringContaining('read scores: 1 lines of'),
      expect.stringContaining('evaluate: 1 lines of'),
    ])
  })

  test('killed at random moments, it ends as an unbroken one', async () => {
    const random = createRandom(Date.now())
    const [unbroken, killed] = [newFolder(), newFolder()]
    await evaluateWithKills(unbroken, `${unbroken}.log`, 0, random)
    const kills = await evaluateWithKills(killed, `${killed}.log`, 10, random)
    expect(resultsIn(killed)).toEqual(resultsIn(unbroken))
    const failed = (await readScores(unbroken)).filter(({ failure }) => failure !== undefined).length
    expect(askedIn(`${killed}.log`)).toBeLessThanOrEqual(ASKED + kills * (IN_FLIGHT + failed))
    expect(readdirSync(parent).filter((name) => name.startsWith('.'))).toEqual([])
  }, 120_000)
})

describe('what is refused', () => {
  const made = async (
    settings: Record<string, unknown> = { topK: 3, sampling: { temperature: 0 } },
  ): Promise<string> => {
    const folder = newFolder()
    await evaluate({ methods: [counting('m', settings).method], questions: questions.slice(0, 3), saveTo: folder })
    return folder
  }
  const going = (folder: string, options: object = {}, settings: object = { topK: 3, sampling: { temperature: 0 } }) =>
    evaluate({
      methods: [counting('m', { ...settings }).method],
      questions: questions.slice(0, 3),
      saveTo: folder,
      resume: true,
      ...options,
    })

  test('a folder that holds results, or something else, or none to go on with', async () => {
    const folder = await made()
    await expect(going(folder, { resume: false })).rejects.toThrow(
      'holds a saved evaluation already; `resume: true` goes on with it, `overwrite: true` replaces it',
    )
    expect(await going(folder, { resume: false, overwrite: true })).toHaveLength(3)
    await expect(going(newFolder())).rejects.toThrow('evaluate: there are no results in')
    writeFileSync(join(parent, 'note.txt'), 'x')
    await expect(going(parent, { resume: false })).rejects.toThrow('holds files but no saved evaluation')
  })

  test('other settings, named with both values', async () => {
    const folder = await made()
    const changed = (rule: string, options: object, settings?: object): Promise<void> =>
      expect(going(folder, options, settings)).rejects.toThrow(
        `evaluate: a resumed evaluation keeps its settings: ${rule}`,
      )
    await changed(`seed is 0 in ${folder}, got 7`, { seed: 7 })
    await changed('trajectories is false', { trajectories: true })
    await changed('methods.m.settings.topK is 3', {}, { topK: 5, sampling: { temperature: 0 } })
    await changed('methods.m.settings.sampling.temperature is 0', {}, { topK: 3, sampling: { temperature: 1 } })
    const path = join(folder, 'evaluation.json')
    const text = readFileSync(path, 'utf8')
    writeFileSync(path, text.replace(/"zerosearch": "[^"]+"/g, '"zerosearch": "0.0.1"'))
    await changed('zerosearch is "0.0.1" in', {})
    writeFileSync(path, text.replace('"version": 1', '"version": 2'))
    await expect(going(folder)).rejects.toThrow('are of version 2, this package reads 1')
    writeFileSync(path, text.slice(0, 100))
    await expect(going(folder)).rejects.toThrow('evaluation.json is damaged')
    writeFileSync(path, text)
    expect(await going(folder)).toHaveLength(3)
  })

  test('a question of the same id that is another one', async () => {
    const folder = await made()
    const other = [{ ...questions[0]!, goldAnswers: ['Ada 0', 'Ada'] }]
    await expect(going(folder, { questions: other })).rejects.toThrow('question q0 of one is not the one that')
    expect(await going(folder)).toHaveLength(3)
  })

  test('two evaluations into one folder', async () => {
    const folder = newFolder()
    const slow = { name: 'slow', answer: () => new Promise<never>(() => undefined) }
    const stop = new AbortController()
    const first = evaluate({ methods: [slow], questions, saveTo: folder, signal: stop.signal })
    first.catch(() => undefined)
    while (!existsSync(join(folder, 'scores.jsonl'))) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(fileOf(folder).status).toBe('running')
    await expect(going(folder)).rejects.toThrow('is being written by this process; wait for its end, or choose another')
    stop.abort()
    await expect(first).rejects.toThrow('aborted')
  })
})

test('a method is known by models, engines and options, and by no key', async () => {
  const folder = newFolder()
  const model = {
    name: 'server',
    parameters: { secret: 'hunter2' },
    complete: () =>
      Promise.resolve({
        text: '<answer> x</answer>',
        finishReason: 'end' as const,
        promptTokens: 1,
        completionTokens: 3,
        cost: 0.5,
      }),
  }
  const searchEngine = await createBm25Engine([{ text: 'Lima' }, { text: 'Quito' }])
  const methods = [directMethod(model), ragMethod(model, { searchEngine, topK: 2 })]
  const scores = await evaluate({ methods, questions: questions.slice(0, 2), saveTo: folder })
  expect(scores[0]).toMatchObject({ cost: 0.5, tokens: 3, budget: { turns: 1 } })
  const { rag, direct } = fileOf(folder).manifest.methods
  expect(rag!.settings).toMatchObject({
    model: { model: 'server', parameters: expect.stringMatching(/^[0-9a-f]{12}$/) as string },
    searchEngine: { engine: 'bm25', parameters: { documents: 2, k1: 1.5, b: 0.75 } },
    topK: 2,
    protocol: { maxSearches: expect.any(Number) as number },
    prompts: { rag: expect.stringContaining('function, source') as string },
  })
  expect(direct!.settings['searchEngine']).toBeUndefined()
  for (const name of readdirSync(folder)) expect(readFileSync(join(folder, name), 'utf8')).not.toContain('hunter2')
})
