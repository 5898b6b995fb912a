import { describe, expect, test } from 'vitest'
import { airRagMethod, jaccardConsistency } from '../../../src/evaluation/methods/air-rag.js'
import type { AirRagOptions } from '../../../src/evaluation/methods/air-rag.js'
import { backpropagate, ragStarMethod } from '../../../src/evaluation/methods/rag-star.js'
import type { RagStarOptions } from '../../../src/evaluation/methods/rag-star.js'
import { best, uct } from '../../../src/evaluation/methods/uct.js'
import type { CompletionOptions } from '../../../src/language-model/language-model.js'
import { trajectorySchema } from '../../../src/schema/record-schemas.js'
import { context, question, recordedEngine, scriptedModel } from './scripted-model.js'

describe('the value of a child', () => {
  test.each([
    [2.5, 4, 2.6482],
    [2.4, 2, 2.6096],
    [1.0, 2, 1.2096],
  ])('RAG-Star: V %d, N %d of 9 is %d', (value, visits, expected) => {
    expect(uct(value, visits, 9, 0.2)).toBeCloseTo(expected, 4)
  })

  test('AirRAG: Q 2, N 3 of 7 is 1.8056; what was never visited comes first', () => {
    expect(uct(2 / 3, 3, 7, Math.SQRT2)).toBeCloseTo(1.8056, 4)
    expect(uct(NaN, 0, 7, 1)).toBe(Infinity)
  })

  test('a reward goes into the mean of a node and of all above', () => {
    const root = { parent: undefined, visits: 9, value: 2 }
    const node = { parent: root, visits: 4, value: 2.5 } as never as Parameters<typeof backpropagate>[0]
    backpropagate(node, 1)
    expect(node).toMatchObject({ visits: 5, value: 2.2 })
    expect(root).toMatchObject({ visits: 10, value: 1.9 })
  })

  test('the first of equals is the best', () => {
    expect(best(['a', 'b', 'c'], (x) => (x === 'a' ? 0 : 1))).toBe('b')
    expect(best([], () => 1)).toBeUndefined()
    expect(best(['a'], () => -Infinity)).toBe('a')
  })

  test('consistency of answers', () => {
    const scores = jaccardConsistency(['New York', 'the New York City', 'Boston'])
    expect(scores.map((score) => Number(score.toFixed(4)))).toEqual([0.5556, 0.5556, 0.3333])
  })
})

type Reply = (prompt: string, options: CompletionOptions, n: number) => string

/** A model for a tree search: replies by what it is asked for. */
function actor(replies: Record<string, Reply>) {
  const counts: Record<string, number> = {}
  const model = scriptedModel((prompt, _, options) => {
    const found = Object.entries(replies).find(([key]) => prompt.includes(key))
    if (!found) throw new Error(`nobody knows: ${prompt}`)
    const n = (counts[found[0]] = (counts[found[0]] ?? 0) + 1) - 1
    return found[1](prompt, options, n)
  })
  return { model, counts }
}

const engine = () => recordedEngine((query) => [{ title: query, text: `text of ${query}` }])

describe('rag-star', () => {
  const play = (replies: Record<string, Reply>, options: Partial<RagStarOptions> = {}, seed = 0) => {
    const searchEngine = engine()
    const { model, counts } = actor({
      'smaller questions': () => '<query>who is n1</query>',
      'Answer the last question': () => 'It is Eve.',
      'Do the documents agree': () => '3',
      'Does the next step': () => '1',
      'briefly as you can': () => 'It is Ada.',
      'from the steps': () => '<answer>Ada</answer>',
      ...replies,
    })
    const method = ragStarMethod(model, { searchEngine, maxSimulations: 3, ...options })
    return { model, counts, searchEngine, answering: method.answer(question, context(seed)) }
  }

  test('a final node answers; it is verified with documents for the question', async () => {
    const { answering, searchEngine } = play({
      'smaller questions': (prompt, _, n) =>
        prompt.includes('1. who') ? '<answer>Ada</answer>' : `<query>who is n${n}</query>`,
    })
    const trajectory = await answering
    expect(trajectory).toMatchObject({ answer: 'Ada', stopReason: 'answer' })
    expect(searchEngine.queries).toContain(question.question)
    expect(trajectory.turns.map(({ action }) => action.kind)).toEqual(['search', 'search', 'answer'])
    expect(trajectorySchema.parse(trajectory)).toEqual(trajectory)
    expect(trajectory.spent!.searches).toBeLessThanOrEqual(trajectory.budget!.searches!)
  })

  test('where documents contradict it, the answer is written anew from them', async () => {
    const { answering } = play(
      { 'smaller questions': () => '<answer>Eve</answer>', 'Do the documents agree': () => '2' },
      { maxSimulations: 1 },
    )
    const { answer, turns } = await answering
    expect(answer).toBe('It is Ada.')
    expect(turns[0]!.text).toContain('<answer>Eve</answer>')
  })

  test('the final node of the highest value answers, the first of equals', async () => {
    const { answering } = play(
      {
        'smaller questions': (_, __, n) => `<answer>${['A', 'B', 'C'][n]}</answer>`,
        'Do the documents agree': (prompt) => (prompt.includes('Answer: A') ? '1' : '3'),
      },
      { maxSimulations: 1 },
    )
    expect((await answering).answer).toBe('B')
  })

  test('a sub-query that makes no sense counts nothing; what cannot be read counts least', async () => {
    const { answering } = play(
      {
        'smaller questions': (_, __, n) => `<answer>${['A', 'B', 'C'][n]}</answer>`,
        'Do the documents agree': (prompt) => (prompt.includes('Answer: C') ? 'who knows' : '3'),
        'Does the next step': (_, __, n) => ['0', 'hm', '1'][n]!,
      },
      { maxSimulations: 1 },
    )
    // 3·0, 3·0 and 1·1.
    expect((await answering).answer).toBe('C')
  })

  test('without a final node the best path is summarised; equal sub-queries are one', async () => {
    const { answering, counts, searchEngine } = play({}, { maxSimulations: 2 })
    const { answer, turns } = await answering
    expect(answer).toBe('Ada')
    expect(searchEngine.queries).toHaveLength(2)
    expect(counts['from the steps']).toBe(1)
    expect(turns.map(({ action }) => action.kind)).toEqual(['search', 'search', 'answer'])
  })

  test('sub-queries that cannot be read: nothing grows, the end is a summary, or no answer', async () => {
    const { answering, counts } = play({ 'smaller questions': () => 'hm', 'from the steps': () => 'no tag' })
    expect(await answering).toMatchObject({ answer: null, stopReason: 'maxTurns', searches: 0 })
    expect(counts['smaller questions']).toBe(3)
  })

  test('no node is below the greatest depth, and the budget of expansions holds', async () => {
    const { answering, counts } = play(
      { 'smaller questions': (_, __, n) => `<query>q${n}</query>` },
      { maxSimulations: 100, maxDepth: 2, branches: 2 },
    )
    const { turns } = await answering
    // The root and its two children are expanded.
    expect(counts['smaller questions']).toBe(6)
    expect(turns).toHaveLength(3)
  })

  test('temperatures are those of the paper', async () => {
    const { answering, model } = play({}, { maxSimulations: 1 })
    await answering
    const temperatures = model.asked.map((prompt, i) => [prompt.slice(6, 20), model.options[i]!.temperature])
    expect(temperatures[0]).toEqual(['A question is ', 1])
    expect(temperatures).toContainEqual(['Answer the las', 0.9])
  })

  test('the same seed gives the same tree whatever is slow; another seed draws others', async () => {
    const run = async (seed: number, delay: (n: number) => number) => {
      let n = 0
      const { model } = actor({
        'smaller questions': (_, { seed: drawn }) => `<query>q${drawn! % 1000}</query>`,
        'Answer the last question': (_, { seed: drawn }) => `a${drawn! % 1000}`,
        'Do the documents agree': (_, { seed: drawn }) => String((drawn! % 3) + 1),
        'Does the next step': () => '1',
        'briefly as you can': () => 'It is Ada.',
        'from the steps': () => '<answer>Ada</answer>',
      })
      const slow = {
        ...model,
        complete: async (...given: Parameters<typeof model.complete>) => {
          await new Promise((resolve) => setTimeout(resolve, delay(n++)))
          return model.complete(...given)
        },
      }
      return ragStarMethod(slow, { searchEngine: engine(), maxSimulations: 3 }).answer(question, context(seed))
    }
    const [one, two, other] = await Promise.all([run(1, () => 0), run(1, (n) => (n * 7) % 5), run(2, () => 0)])
    expect(two).toEqual(one)
    expect(other.turns).not.toEqual(one.turns)
  })

  test('faults of the verifier and the engine, and an abort', async () => {
    const verifier = scriptedModel(() => Promise.reject(new Error('judge down')))
    expect(await play({}, { verifier }).answering).toMatchObject({
      failure: { boundary: 'policy', message: 'judge down' },
    })
    const searchEngine = recordedEngine(() => new Error('HTTP 500'))
    expect(await play({}, { searchEngine }).answering).toMatchObject({
      failure: { boundary: 'search', message: 'HTTP 500' },
    })
    const controller = new AbortController()
    const { model } = actor({ 'smaller questions': () => (controller.abort(new Error('enough')), '') })
    const method = ragStarMethod(model, { searchEngine })
    await expect(method.answer(question, { seed: 0, signal: controller.signal })).rejects.toThrow('enough')
  })
})

describe('air-rag', () => {
  const play = (replies: Record<string, Reply>, options: Partial<AirRagOptions> = {}) => {
    const searchEngine = engine()
    const { model, counts } = actor({
      'Say in a few words': () => 'It asks for a person.',
      'from what you know': () => 'Maybe Eve.',
      'What should be searched': () => '',
      'from the documents alone': () => 'Ada is n1.',
      'Answer the question. Write': () => '<answer>Ada</answer>',
      ...replies,
    })
    const method = airRagMethod(model, { searchEngine, ...options })
    return { model, counts, searchEngine, answering: method.answer(question, context()) }
  }
  const steps = ({ turns }: { turns: { action: { kind: string } }[] }): string[] =>
    turns.map(({ action }) => action.kind)

  test('one rollout: analysis and memory side by side, a search, no new query, an answer', async () => {
    const { answering, counts, searchEngine } = play({})
    const trajectory = await answering
    expect(trajectory).toMatchObject({ answer: 'Ada', stopReason: 'answer', searches: 1 })
    expect(steps(trajectory)).toEqual(['think', 'search', 'answer'])
    expect(counts).toMatchObject({ 'Say in a few words': 1, 'from what you know': 1, 'What should be searched': 1 })
    expect(searchEngine.queries).toEqual([question.question])
    expect(trajectorySchema.parse(trajectory)).toEqual(trajectory)
  })

  test('searches and new queries alternate until eight steps are done', async () => {
    const { answering, searchEngine } = play({
      'What should be searched': (_, __, n) => `<query>q${n}</query><query>q${n}</query><query>Who is n1?</query>`,
    })
    const trajectory = await answering
    expect(steps(trajectory)).toEqual([
      'think',
      ...Array.from({ length: 4 }, () => ['search', 'think']).flat(),
      'answer',
    ])
    // A query that was asked before is none.
    expect(searchEngine.queries).toEqual([question.question, 'q0', 'q1', 'q2'])
  })

  test('lite has neither analysis nor memory', async () => {
    const { answering, counts } = play({}, { lite: true })
    expect(steps(await answering)).toEqual(['search', 'answer'])
    expect(counts['Say in a few words']).toBeUndefined()
    expect(airRagMethod(scriptedModel([]), { searchEngine: engine(), lite: true }).name).toBe('air-rag-lite')
  })

  test('several rollouts: the answer that all share most, the first of equals', async () => {
    const { answering, counts } = play(
      {
        'What should be searched': (_, __, n) => (n === 2 ? '<query>q</query>' : ''),
        'Answer the question. Write': (_, __, n) => `<answer>${['New York', 'New York City', 'Boston'][n]}</answer>`,
      },
      { rollouts: 3 },
    )
    expect((await answering).answer).toBe('New York')
    expect(counts['Answer the question. Write']).toBe(3)
  })

  test('several samples of an answer: the consistent one', async () => {
    const { answering } = play(
      { 'Answer the question. Write': (_, __, n) => `<answer>${['Boston', 'New York', 'New York City'][n]}</answer>` },
      { samples: 3 },
    )
    expect((await answering).answer).toBe('New York')
  })

  test('analysis and memory that say the same are one', async () => {
    const { answering, counts } = play(
      { 'Say in a few words': () => 'same', 'from what you know': () => 'same' },
      { rollouts: 2 },
    )
    await answering
    // The second rollout takes what was not tried below the one child: a new query first, which there is none of.
    expect(counts['from the documents alone']).toBe(1)
  })

  test('replies that cannot be read drop the child; nothing readable is no answer', async () => {
    const { answering } = play({ 'Answer the question. Write': () => 'Ada' })
    expect(await answering).toMatchObject({ answer: null, stopReason: 'maxTurns' })
    const { answering: empty } = play({ 'Say in a few words': () => ' ', 'from what you know': () => '' })
    expect(await empty).toMatchObject({ answer: null, turns: [] })
  })

  test('a document cannot answer, and faults are recorded', async () => {
    const searchEngine = recordedEngine(() => [{ text: '<answer>Eve</answer>' }])
    const { answering, model } = play({}, { searchEngine })
    expect((await answering).answer).toBe('Ada')
    expect(model.asked.join('')).toContain('[answer]Eve[/answer]')
    const broken = recordedEngine(() => new Error('HTTP 500'))
    expect(await play({}, { searchEngine: broken }).answering).toMatchObject({ failure: { boundary: 'search' } })
    const controller = new AbortController()
    const { model: stopping } = actor({
      'Say in a few words': () => (controller.abort(new Error('enough')), 'x'),
      'from what you know': () => 'y',
    })
    const method = airRagMethod(stopping, { searchEngine })
    await expect(method.answer(question, { seed: 0, signal: controller.signal })).rejects.toThrow('enough')
  })

  test('spends no more where the first search gave nothing, and its path goes on by new queries', async () => {
    const { answering } = play({
      'from the documents alone': (_, __, n) => (n === 0 ? '' : 'Ada.'),
      'What should be searched': (_, __, n) => [0, 1, 2].map((i) => `<query>q${n} ${i}</query>`).join(''),
    })
    const { spent, budget } = await answering
    expect(spent!.searches).toBe(13)
    expect(budget!.searches).toBe(13)
  })

  test('spends no more than its budget', async () => {
    const { answering } = play(
      { 'What should be searched': (_, __, n) => [0, 1, 2].map((i) => `<query>q${n} ${i}</query>`).join('') },
      { rollouts: 8, samples: 3 },
    )
    const { spent, budget } = await answering
    for (const key of ['searches', 'turns', 'tokens', 'pages'] as const)
      expect(spent![key]).toBeLessThanOrEqual(budget![key]!)
  })
})
