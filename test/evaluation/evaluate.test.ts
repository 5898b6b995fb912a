import { describe, expect, test } from 'vitest'
import { evaluate, policyMethod } from '../../src/evaluation/evaluate.js'
import type { Method } from '../../src/evaluation/evaluate.js'
import { onProgress } from '../../src/host/progress.js'
import { miniProtocol } from '../../src/rollout/protocol.js'
import type { Question } from '../../src/schema/question.js'
import { scoreSchema } from '../../src/schema/record-schemas.js'
import { createBm25Engine } from '../../src/search/bm25.js'
import { scriptedPolicy } from '../rollout/scripted-policy.js'

const questions = Array.from({ length: 67 }, (_, n): Question => {
  const dataset = n < 40 ? 'one' : 'two'
  return { id: `${dataset}-test-${n}`, dataset, question: `who is n${n}?`, goldAnswers: [`Ada ${n}`] }
})
const engine = createBm25Engine(questions.map((_, n) => ({ text: `n${n} is Ada ${n}.` })))
/** Searches for the number and answers what the document says. */
const reader = () =>
  scriptedPolicy((turn, heard) => {
    const number = /who is (n\d+)/.exec(heard)![1]
    return turn === 0 ? `<search> ${number}</search>` : `<answer> ${/ is (Ada \d+)\./.exec(heard)![1]}</answer>`
  })

describe('evaluate', () => {
  test('every question of every set is scored, in order: none is dropped (defect 15)', async () => {
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

  test('two methods of one name, and a method that leaves questions out, are refused', async () => {
    const method = policyMethod('reader', reader(), { searchEngine: engine, protocol: miniProtocol })
    await expect(evaluate({ methods: [method, method], questions })).rejects.toThrow(
      'different names, got reader twice',
    )
    const lazy: Method = { name: 'lazy', answer: async (asked) => (await method.answer(asked)).slice(0, 64) }
    await expect(evaluate({ methods: [lazy], questions })).rejects.toThrow('lazy must answer all 67 questions, got 64')
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
  expect(told.slice(-2)).toEqual(['evaluate 3/3 reader running', 'evaluate 3/3 reader done'])
})
