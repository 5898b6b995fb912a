import { afterEach, describe, expect, test, vi } from 'vitest'
import { evaluate, EvaluationError } from '../../src/evaluation/evaluate.js'
import { policyMethod } from '../../src/evaluation/methods/policy.js'
import type { AnswerContext, Method } from '../../src/evaluation/method.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { onProgress } from '../../src/host/progress.js'
import type { Question } from '../../src/schema/question.js'
import { scoreSchema } from '../../src/schema/record-schemas.js'
import type { Trajectory } from '../../src/schema/trajectory.js'
import { createBm25Engine } from '../../src/search/bm25.js'
import { comparisonTable } from '../../src/table/comparison-table.js'
import type { ComparisonRow } from '../../src/table/comparison-table.js'
import { scoreTable } from '../../src/table/score-table.js'
import { scriptedPolicy } from '../rollout/scripted-policy.js'

const questions = Array.from({ length: 67 }, (_, n): Question => {
  const dataset = n < 40 ? 'one' : 'two'
  return { id: `${dataset}-test-${n}`, dataset, question: `who is n${n}?`, goldAnswers: [`Ada ${n}`] }
})
const engine = await createBm25Engine(questions.map((_, n) => ({ text: `n${n} is Ada ${n}.` })))
/** Searches for the number and answers what the document says. */
const reader = () =>
  scriptedPolicy((turn, heard) => {
    const number = /who is (n\d+)/.exec(heard)![1]
    return turn === 0 ? `<search> ${number}</search>` : `<answer> ${/ is (Ada \d+)\./.exec(heard)![1]}</answer>`
  })

describe('evaluate', () => {
  test('every question of every set is scored, in order: none is dropped', async () => {
    const method = policyMethod('reader', reader(), { searchEngine: engine, protocol: miniProtocol })
    const progress: number[] = []
    const scores = await evaluate({
      methods: [method],
      questions,
      onProgress: (done, total) => progress.push(done, total),
    })
    expect(scores.map(({ questionId }) => questionId)).toEqual(questions.map(({ id }) => id))
    for (const score of scores) {
      expect(scoreSchema.parse(score)).toEqual(score)
      expect(score).toMatchObject({ method: 'reader', em: 1, coverEm: 1, f1: 1, searches: 1, answered: 1 })
    }
    expect(progress.filter((_, i) => i % 2 === 0)).toEqual(questions.map((_, i) => i + 1))
    expect(new Set(progress.filter((_, i) => i % 2 === 1))).toEqual(new Set([67]))
  })

  test('scores have the domain of their questions', async () => {
    const method = policyMethod('reader', reader(), { searchEngine: engine, protocol: miniProtocol })
    const asked = [{ ...questions[0]!, domain: 'in-domain' as const }, questions[1]!]
    const scores = await evaluate({ methods: [method], questions: asked })
    expect(scores.map((score) => scoreSchema.parse(score).domain)).toEqual(['in-domain', undefined])
  })

  test('a method that cannot search answers from itself; metrics are kept apart', async () => {
    const policy = scriptedPolicy(() => '<answer> It is Ada 3, I think</answer>')
    const method = policyMethod('closed', policy, { searchEngine: engine, protocol: miniProtocol, maxSearches: 0 })
    const [score] = await evaluate({ methods: [method], questions: [questions[3]!] })
    // "it is ada 3 i think" holds "ada 3": 2·2/(6+2).
    expect(score).toMatchObject({ em: 0, coverEm: 1, f1: 0.5, searches: 0, answered: 1 })
  })

  test('a failure is a score without an answer, and is shown to who listens', async () => {
    const policy = scriptedPolicy((_, heard) => {
      if (heard.includes('n1?')) throw new Error('out of memory')
      return '<answer> Ada 0</answer>'
    })
    const method = policyMethod('frail', policy, { searchEngine: engine, protocol: miniProtocol })
    const failures: unknown[] = []
    const scores = await evaluate({
      methods: [method],
      questions: questions.slice(0, 2),
      onTrajectory: (name, { failure }) => failure && failures.push([name, failure.message]),
    })
    expect(scores.map(({ em, answered, answer }) => [em, answered, answer])).toEqual([
      [1, 1, 'Ada 0'],
      [0, 0, null],
    ])
    expect(failures).toEqual([['frail', 'out of memory']])
    expect(scores.map(({ failure }) => failure)).toEqual([undefined, 'policy: out of memory'])
  })

  test('bad options are refused by name', async () => {
    const method = policyMethod('reader', reader(), { searchEngine: engine, protocol: miniProtocol })
    const refused = (options: object, message: string): Promise<void> =>
      expect(evaluate({ methods: [method], questions, ...options })).rejects.toThrow(`evaluate: ${message}`)
    await refused({ methods: [method, method] }, 'methods must have different names, got reader twice')
    await refused({ methods: [] }, 'methods must have a length of at least 1, got []')
    await refused({ methods: [{ ...method, name: '' }] }, 'methods.0 must be a method with a name, got')
    await refused({ questions: [] }, 'questions must have a length of at least 1, got []')
    await refused({ questions: [questions[0], questions[0]] }, 'questions of a set must have different ids')
    await refused({ resume: true }, 'saveTo must name the folder for what resume goes on with')
    await refused({ saveTo: 'x', resume: true, overwrite: true }, 'overwrite must be left out')
    await refused({ questions: [questions[0], 'who?'] }, 'questions.1 must be a question with id, dataset')
    for (const goldAnswers of [[], [''], [NaN], 'Ada']) {
      await refused(
        { questions: [{ ...questions[0]!, goldAnswers }] },
        'questions.0 must be a question with id, dataset',
      )
    }
    for (const concurrency of [0, -1, 1.5, NaN, Infinity]) await refused({ concurrency }, 'concurrency must be')
    for (const maxFailedShare of [-0.1, 1.1, NaN]) await refused({ maxFailedShare }, 'maxFailedShare must be')
    await refused({ onprogress: () => undefined }, 'there is no option onprogress; did you mean onProgress?')
  })
})

test('a method checks its options when it is made, not at the first question', () => {
  const make = (options: object) => () =>
    policyMethod('reader', reader(), { searchEngine: engine, protocol: miniProtocol, ...options })
  expect(make({ topK: -1 })).toThrow('roll out: topK must be a positive integer, got -1')
  expect(make({ sampling: { temperature: NaN, topP: 1, topK: 0 } })).toThrow('sampling.temperature must be 0 (greedy)')
  expect(make({ protocol: {} })).toThrow('roll out: protocol must be a protocol, got {}')
  expect(make({ searchEngine: {} })).toThrow('roll out: searchEngine must be a search engine, got {}')
  expect(make({ signal: [] })).toThrow('roll out: signal must be an AbortSignal')
  expect(make({ topk: 3 })).toThrow('there is no option topk; did you mean topK?')
})

/** Answers as a script says, after some time; a cause makes it fail. */
function scripted(name: string, script: (n: number) => { cause?: string; answer?: string; ms?: number }) {
  const method = {
    running: 0,
    atOnce: 0,
    asked: 0,
    name,
    async answer(question: Question, { seed }: AnswerContext): Promise<Trajectory> {
      method.asked++
      method.atOnce = Math.max(method.atOnce, ++method.running)
      const { cause, answer = null, ms = 0 } = script(Number(/\d+$/.exec(question.id)![0]))
      if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
      else await Promise.resolve()
      method.running--
      return {
        question,
        turns: [],
        ids: [],
        lossMask: [],
        logprobs: [],
        promptLength: 0,
        answer,
        stopReason: cause === undefined ? 'answer' : 'failed',
        ...(cause !== undefined && { failure: { boundary: 'search', message: cause } }),
        searches: 1,
        seed,
      }
    },
  }
  return method
}

test('draws of a question depend on seed, set and id alone', async () => {
  const seeds = async (asked: Question[], seed?: number): Promise<Map<string, number>> => {
    const found = new Map<string, number>()
    const method = scripted('m', () => ({ answer: 'x' }))
    const onTrajectory = (_: string, { question, seed }: Trajectory) => void found.set(question.id, seed)
    await evaluate({ methods: [method], questions: asked, onTrajectory, ...(seed !== undefined && { seed }) })
    return found
  }
  const all = await seeds(questions)
  expect(new Set(all.values()).size).toBe(67)
  expect(await seeds(questions, 0)).toEqual(all)
  const some = await seeds([questions[50]!, questions[3]!])
  for (const [id, seed] of some) expect(seed).toBe(all.get(id))
  expect((await seeds(questions, 1)).get('one-test-3')).not.toBe(all.get('one-test-3'))
  expect((await seeds([{ ...questions[3]!, dataset: 'other' }])).get('one-test-3')).not.toBe(all.get('one-test-3'))
})

describe('failures', () => {
  afterEach(() => vi.restoreAllMocks())

  test('one warning for each method says how many questions failed and of what', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    const causes = ['HTTP 500', 'HTTP 429', 'HTTP 429']
    const frail = scripted('frail', (n) => (n < 3 ? { cause: causes[n]! } : { answer: `Ada ${n}` }))
    const sound = scripted('sound', (n) => ({ answer: `Ada ${n}` }))
    const scores = await evaluate({ methods: [frail, sound], questions })
    expect(warn.mock.calls).toEqual([
      [
        'evaluate: 3 of 67 questions failed with method frail; commonest cause (2): search: HTTP 429; ' +
          'failed questions count as wrong',
      ],
    ])
    const rows = comparisonTable(scores).objects() as ComparisonRow[]
    const of = (method: string) => rows.find((row) => row.method === method && row.dataset === 'one')!
    expect(of('frail')).toMatchObject({ n: 40, failed: 3, em: 37 / 40, emWithoutFailed: 1 })
    expect(of('sound')).toMatchObject({ n: 40, failed: 0, em: 1, emWithoutFailed: 1 })
    expect(scoreTable(scores).array('failure').slice(0, 4)).toEqual([
      ...causes.map((cause) => `search: ${cause}`),
      null,
    ])
  })

  test('a failed question has no answer, whatever it said before', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    const method = scripted('m', (n) => ({ answer: `Ada ${n}`, ...(n === 0 && { cause: 'cut off' }) }))
    const [score] = await evaluate({ methods: [method], questions })
    expect(score).toMatchObject({ answer: null, em: 0, f1: 0, answered: 0, failure: 'search: cut off' })
  })

  test('an engine that always fails stops the evaluation with its cause; what was scored is kept', async () => {
    const sound = scripted('sound', (n) => ({ answer: `Ada ${n}` }))
    const dead = scripted('dead', () => ({ cause: 'connect ECONNREFUSED 127.0.0.1:8000' }))
    const after = scripted('after', () => ({ answer: 'x' }))
    const error = await evaluate({ methods: [sound, dead, after], questions, concurrency: 4 }).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(EvaluationError)
    const { message, scores } = error as EvaluationError
    expect(message).toBe(
      'evaluate: 34 of 34 questions failed with method dead; commonest cause (34): search: connect ECONNREFUSED ' +
        '127.0.0.1:8000; this is more than maxFailedShare 0.5, so it stopped',
    )
    expect(scores.filter(({ method }) => method === 'sound').map(({ em }) => em)).toEqual(questions.map(() => 1))
    expect(scores.filter(({ method }) => method === 'dead').map(({ questionId }) => questionId)).toEqual(
      questions.slice(0, 34).map(({ id }) => id),
    )
    expect(dead.asked).toBeLessThanOrEqual(34 + 4)
    expect(after.asked).toBe(0)
  })

  test('a method that throws, at once or later, fails that question alone', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    const sound = scripted('sound', (n) => ({ answer: `Ada ${n}` }))
    const method: Method = {
      name: 'm',
      answer(question, context) {
        if (question.id === 'one-test-1') throw new TypeError('at once')
        if (question.id === 'one-test-2') return Promise.reject(new Error('later'))
        if (question.id === 'one-test-3') return Promise.resolve(undefined as unknown as Trajectory)
        return sound.answer(question, context)
      },
    }
    const trajectories: string[] = []
    const scores = await evaluate({
      methods: [method],
      questions: questions.slice(0, 10),
      onTrajectory: (_, { question, stopReason }) => void trajectories.push(`${question.id} ${stopReason}`),
    })
    expect(scores.slice(0, 4).map(({ failure }) => failure)).toEqual([
      undefined,
      'policy: at once',
      'policy: later',
      expect.stringContaining('undefined'),
    ])
    expect(scores.filter(({ em }) => em === 1)).toHaveLength(7)
    expect(trajectories).toContain('one-test-1 failed')
    expect(trajectories).toHaveLength(10)
  })

  test('the share may be set, and 1 never stops', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    const half = scripted('half', (n) => (n % 2 === 0 ? { cause: 'x' } : { answer: 'y' }))
    await expect(evaluate({ methods: [half], questions, maxFailedShare: 0.25 })).rejects.toThrow('17 of ')
    const dead = scripted('dead', () => ({ cause: 'x' }))
    expect(await evaluate({ methods: [dead], questions, maxFailedShare: 1 })).toHaveLength(67)
  })

  test('questions in work when it stops are given up, and report nothing later', async () => {
    const method = scripted('m', (n) => (n < 34 ? { cause: 'x' } : { ms: 20 }))
    const reported: string[] = []
    const evaluating = evaluate({
      methods: [method],
      questions,
      onTrajectory: (_, { question }) => reported.push(question.id),
    })
    await expect(evaluating).rejects.toThrow('34 of 34')
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(reported).toHaveLength(34)
  })
})

describe('many questions', () => {
  test('200,000 are asked a few at a time, in order, whatever the time that each takes', async () => {
    const many = Array.from({ length: 200_000 }, (_, n) => ({ ...questions[0]!, id: `one-test-${n}` }))
    const method = scripted('m', (n) => ({ answer: n % 3 === 0 ? 'Ada 0' : 'no', ms: n % 5000 === 0 ? 5 : 0 }))
    let last = 0
    const scores = await evaluate({ methods: [method], questions: many, onProgress: (done) => (last = done) })
    expect(last).toBe(200_000)
    expect(scores).toHaveLength(200_000)
    expect(scores.every(({ questionId, em }, i) => questionId === many[i]!.id && em === (i % 3 === 0 ? 1 : 0))).toBe(
      true,
    )
    expect(method.atOnce).toBe(256)
  })

  test('that come one after the other are taken as there is room for them, and then known to further methods', async () => {
    let taken = 0
    let asked = 0
    let furthest = 0
    async function* stream(): AsyncGenerator<Question> {
      for (let n = 0; n < 2000; n++) {
        if (n % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
        furthest = Math.max(furthest, ++taken - asked)
        yield { ...questions[0]!, id: `one-test-${n}` }
      }
    }
    const method = (name: string) => scripted(name, (n) => (asked++, { answer: n % 2 === 0 ? 'Ada 0' : 'no' }))
    const totals = new Set<number>()
    const onProgress = (_: number, total: number) => void totals.add(total)
    const scores = await evaluate({
      methods: [method('a'), method('b')],
      questions: stream(),
      concurrency: 8,
      onProgress,
    })
    expect(furthest).toBeLessThanOrEqual(9)
    expect(scores.map(({ method: name, questionId }) => `${name} ${questionId}`)).toEqual(
      ['a', 'b'].flatMap((name) => Array.from({ length: 2000 }, (_, n) => `${name} one-test-${n}`)),
    )
    expect([...totals]).toEqual([Infinity, 4000])
  })

  test('that come one after the other are checked, and end the evaluation where they end', async () => {
    const method = scripted('m', () => ({ answer: 'x' }))
    const of = (...items: unknown[]): AsyncGenerator<Question> =>
      (async function* () {
        for (const item of items) yield await Promise.resolve(item as Question)
      })()
    const refused = (items: AsyncGenerator<Question>, rule: string): Promise<void> =>
      expect(evaluate({ methods: [method], questions: items })).rejects.toThrow(rule)
    await refused(of(questions[0], 'who?'), 'evaluate: questions.1 must be a question with id')
    await refused(
      of(questions[0], questions[0]),
      'questions of a set must have different ids, got one-test-0 of one twice',
    )
    await refused(of(), 'questions must be at least one, got none')
    const broken = (async function* () {
      yield await Promise.resolve(questions[0]!)
      throw new Error('line 2 is cut off')
    })()
    await refused(broken, 'line 2 is cut off')
    const endless = (async function* () {
      yield await new Promise<Question>(() => undefined)
    })()
    const evaluating = evaluate({ methods: [method], questions: endless, signal: AbortSignal.timeout(20) })
    await expect(evaluating).rejects.toThrow('timeout')
    const dead = scripted('dead', () => ({ cause: 'refused' }))
    const many = of(...Array.from({ length: 1000 }, (_, n) => ({ ...questions[0]!, id: `one-test-${n}` })))
    await expect(evaluate({ methods: [dead], questions: many, concurrency: 10 })).rejects.toThrow(
      '6 of 6 questions failed',
    )
  })

  test('the stop signal ends it at once, and no further question is asked', async () => {
    const stop = new AbortController()
    const method = scripted('m', () => ({ ms: 10_000 }))
    const evaluating = evaluate({ methods: [method], questions, concurrency: 5, signal: stop.signal })
    const reason = new Error('stopped by hand')
    setTimeout(() => stop.abort(reason), 10)
    await expect(evaluating).rejects.toBe(reason)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(method.asked).toBe(5)
  })

  test('a method that throws ends it with its own error, as all of its questions fail', async () => {
    const method: Method = { name: 'broken', answer: () => Promise.reject(new Error('no weights')) }
    await expect(evaluate({ methods: [method], questions })).rejects.toThrow('(34): policy: no weights; this is more')
  })
})

test('progress is told to whoever listens, unless it is switched off or shown by a callback', async () => {
  const told: string[] = []
  const end = onProgress(
    ({ title, done, total, note, state }) => void told.push(`${title} ${done}/${total} ${note} ${state}`),
  )
  const method = policyMethod('reader', reader(), { searchEngine: engine, protocol: miniProtocol })
  const options = { methods: [method], questions: questions.slice(0, 3) }
  await evaluate({ ...options, progress: false })
  await evaluate({ ...options, onProgress: () => undefined })
  expect(told).toEqual([])
  await evaluate(options)
  end()
  expect(told[1]).toBe('evaluate 0/3 reader running')
  const last = 'evaluate 3/3 reader: EM one 1.000'
  expect(told.slice(-2)).toEqual([`${last} running`, `${last} done`])
})
