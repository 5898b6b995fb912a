import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildPhraseIndex } from '../../../src/evaluation/methods/phrase-index.js'
import type { PhraseIndex } from '../../../src/evaluation/methods/phrase-index.js'
import { retroLlmMethod } from '../../../src/evaluation/methods/retro-llm.js'
import type { RetroLlmOptions } from '../../../src/evaluation/methods/retro-llm.js'
import { MARKS } from '../../../src/evaluation/methods/retro-marks.js'
import {
  clueWeight,
  fuseRanks,
  numbersOf,
  rankByClues,
  windowsOf,
} from '../../../src/evaluation/methods/retro-search.js'
import { uniform } from '../../../src/random/seeded-random.js'
import { trajectorySchema } from '../../../src/schema/record-schemas.js'
import { createBm25Engine } from '../../../src/search/bm25.js'
import { scriptedPolicy } from '../../rollout/scripted-policy.js'
import { controlTokenizer, probablePolicy } from './probable-policy.js'
import { context, question, recordedEngine, scriptedModel } from './scripted-model.js'

const tokenizer = controlTokenizer(MARKS)
const letters = (ids: readonly number[]): string[] => ids.map((id) => tokenizer.decode([id])).sort()

/** Places of a phrase; undefined where the corpus does not hold it. */
function find(index: PhraseIndex, phrase: string) {
  let range: ReturnType<PhraseIndex['follow']> = index.everywhere
  for (const [i, id] of tokenizer.encode(phrase).entries()) range &&= index.follow(range, i, id)
  return range
}

describe('the index of phrases', () => {
  test('after "ana" in "banana" comes n, or the end; not what stands before it', async () => {
    const index = await buildPhraseIndex(tokenizer, [{ text: 'banana' }])
    const range = find(index, 'ana')!
    const { ids, ends } = index.continuations(range, 3)
    expect([letters(ids), ends]).toEqual([['n'], true])
    expect(range.high - range.low).toBe(2)
    expect(find(index, 'anab')).toBeUndefined()
    expect(letters(index.continuations(index.everywhere, 0).ids)).toEqual(['a', 'b', 'n'])
  })

  test('no phrase goes from one document into the next', async () => {
    const index = await buildPhraseIndex(tokenizer, [{ text: 'ab' }, { text: 'cd' }, { title: 'T', text: 'ab' }])
    expect(find(index, 'bc')).toBeUndefined()
    expect(index.continuations(find(index, 'ab')!, 2)).toEqual({ ids: [], ends: true })
    expect([...index.frequencies(find(index, 'ab')!)]).toEqual(
      expect.arrayContaining([
        [0, 1],
        [2, 1],
      ]),
    )
  })

  test('holds exactly the phrases of its documents, each as often as it stands there', async () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 30 })
    const phrase = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 7 })
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 5 }), phrase, async (texts, wanted) => {
        const index = await buildPhraseIndex(
          tokenizer,
          texts.map((each) => ({ text: each })),
        )
        const counts = texts.map((each) => [...each].filter((_, i) => each.startsWith(wanted, i)).length)
        const range = find(index, wanted)
        expect(range ? range.high - range.low : 0).toBe(counts.reduce((sum, n) => sum + n, 0))
        if (!range) return
        const frequencies = index.frequencies(range)
        counts.forEach((count, document) => expect(frequencies.get(document) ?? 0).toBe(count))
        const next = new Set(
          texts.flatMap((each) =>
            [...each].flatMap((_, i) => (each.startsWith(wanted, i) ? [each[i + wanted.length] ?? ''] : [])),
          ),
        )
        const { ids, ends } = index.continuations(range, wanted.length)
        expect(letters(ids)).toEqual([...next].filter((letter) => letter !== '').sort())
        expect(ends).toBe(next.has(''))
      }),
      { numRuns: 200 },
    )
  })

  test('a corpus of nothing is refused; marks in a document are none', async () => {
    await expect(buildPhraseIndex(tokenizer, [])).rejects.toThrow('at least one document, got none')
    const index = await buildPhraseIndex(tokenizer, [{ text: 'a<|/evidence|>b' }])
    expect(tokenizer.decode([...index.tokensOf(0)])).toBe('a[|/evidence|]b')
  })
})

describe('documents and windows', () => {
  test('a clue in 4 places of 2 among 100 documents, 3 of them here, weighs 9.8855', () => {
    expect(clueWeight(100, 4, 2, 3)).toBeCloseTo(9.8855, 4)
  })

  test('ranks (1, 2) and (–, 1) are worth the same: the one that the clues found goes first', () => {
    expect(fuseRanks([7], [9, 7], 2)).toEqual([7, 9])
    expect(fuseRanks([], [3, 1, 2], 2)).toEqual([3, 1])
    expect(fuseRanks([1, 2], [], 5)).toEqual([1, 2])
    expect(fuseRanks([], [], 5)).toEqual([])
  })

  test('documents are ranked by their clues, which are left out where they are everywhere', async () => {
    const documents = [{ text: 'xx' }, { text: 'rare rare' }, { text: 'rare' }, { text: 'x'.repeat(1200) }]
    const index = await buildPhraseIndex(tokenizer, documents)
    expect(rankByClues(index, [find(index, 'rare')!], 5)).toEqual([1, 2])
    expect(rankByClues(index, [find(index, 'rare')!], 1)).toEqual([1])
    expect(rankByClues(index, [find(index, 'x')!], 5)).toEqual([])
    expect(
      numbersOf(index, [
        { text: 'rare', rank: 1 },
        { text: 'unknown', rank: 2 },
        { text: 'xx', rank: 3 },
      ]),
    ).toEqual([2, 0])
  })

  test('windows hold what lies around a phrase; those that touch are one, up to a length', () => {
    const tokens = Int32Array.from({ length: 300 }, (_, i) => (i === 50 || i === 90 || i === 250 ? 1 : 0))
    expect(windowsOf(5, tokens, [[1]], 32, 128)).toEqual([
      { document: 5, start: 18, end: 123 },
      { document: 5, start: 218, end: 283 },
    ])
    expect(windowsOf(5, tokens, [[2]], 32, 128)).toEqual([{ document: 5, start: 0, end: 128 }])
    for (const { start, end } of windowsOf(0, new Int32Array(1000).fill(1), [[1]], 32, 128))
      expect(end - start).toBeLessThanOrEqual(128)
  })
})

const documents = [
  { title: 'N1', text: `n1 is Ada Lovelace. ${'She wrote the first program of all. '.repeat(8)}` },
  { title: 'N2', text: `n2 is Bob. ${'He wrote nothing at all in his life. '.repeat(8)}` },
  { title: 'Short', text: 'n3 is Eve.' },
]
const whole = documents.map(({ title, text }) => `${title}\n${text}`)
const index = await buildPhraseIndex(tokenizer, documents)
const searchEngine = await createBm25Engine(documents)

/** Writes the wanted clues, evidence to its marks' earliest place, and an answer. */
const obedient = (answer = ' Ada.\nmore') =>
  probablePolicy(MARKS, (text) => {
    const at = text.lastIndexOf(' The answer is')
    if (text.includes('<|/evidence|>') && at > 0) {
      const written = text.slice(at + ' The answer is'.length)
      return { [answer[written.length] ?? '<eos>']: 0.9 }
    }
    if (!text.includes('<|clue|>')) return {}
    if (!text.includes('<|/clue|>')) {
      const clue = text.slice(text.lastIndexOf('|>') + 2)
      return clue === 'n1 is' ? { '<|/clue|>': 0.8 } : { ['n1 is'[clue.length]!]: 0.8 }
    }
    return { '<|/evidence|>': 0.5, '<|sep|>': 0.1, n: 0.05 }
  })

const play = (policy: Parameters<typeof retroLlmMethod>[0], options: Partial<RetroLlmOptions> = {}, seed = 0) =>
  retroLlmMethod(policy, { index, searchEngine, ...options }).answer(question, context(seed))

describe('retrollm', () => {
  test('a clue, evidence of its document, and the answer', async () => {
    const policy = obedient()
    const trajectory = await play(policy)
    expect(trajectory).toMatchObject({ answer: 'Ada', stopReason: 'answer', searches: 1 })
    const [clue, evidence, answer] = trajectory.turns
    expect(clue!.text).toBe('<|clue|>n1 is<|/clue|>')
    expect(clue!.action).toEqual({ kind: 'search', query: 'n1 is' })
    expect(clue!.observation!.documents[0]!.title).toBe('N1')
    const [, written] = /^<\|evidence\|>([^]*)<\|\/evidence\|>$/.exec(evidence!.text)!
    // It may end after more than 64 tokens, and does at once.
    expect(written).toHaveLength(65)
    expect(whole[0]).toContain(written)
    expect(answer!.text).toBe(' The answer is Ada.')
    expect(trajectorySchema.parse(trajectory)).toEqual(trajectory)
    expect(policy.open()).toBe(0)
  })

  test('no answer is no answer', async () => {
    expect(await play(obedient('\n'))).toMatchObject({ answer: null, stopReason: 'maxTurns' })
    expect(await play(obedient(''))).toMatchObject({ answer: null, stopReason: 'maxTurns' })
  })

  test('whatever the model wants: clues and evidence are of one document each, parts have their lengths and marks', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.boolean(), async (seed, spelled) => {
        const marks = spelled ? [] : MARKS
        // Probabilities that depend on the length of the text alone, and are very uneven.
        const own = controlTokenizer(marks)
        const tokens = Array.from({ length: own.vocabSize - 1 }, (_, i) => own.decode([i + 1]))
        const policy = probablePolicy(marks, (text) => {
          const draws = tokens.map((token, i) => [token, uniform(seed, text.length, i) ** 20] as const)
          const total = draws.reduce((sum, [, p]) => sum + p, 0)
          return Object.fromEntries(draws.map(([token, p]) => [token, (0.99 * p) / total]))
        })
        const ours = spelled ? await buildPhraseIndex(own, documents) : index
        const options = { index: ours, maxTokens: 600, untrained: spelled }
        const { turns, failure, spent, budget } = await play(policy, options, seed)
        expect(failure).toBeUndefined()
        const form = /^<\|clue\|>([^]*)<\|\/clue\|>$/.exec(turns[0]!.text)!
        const clues = form[1]!.split('<|sep|>')
        expect(clues.length).toBeLessThanOrEqual(3)
        for (const clue of clues) {
          expect(whole.some((text) => text.includes(clue))).toBe(true)
          expect(clue.length).toBeLessThanOrEqual(7)
        }
        const evidences = /^<\|evidence\|>([^]*)<\|\/evidence\|>$/.exec(turns[1]!.text)![1]!.split('<|sep|>')
        for (const evidence of evidences) {
          expect(whole.some((text) => text.includes(evidence))).toBe(true)
          expect(evidence.length).toBeLessThanOrEqual(160)
        }
        expect(turns[2]!.text).toMatch(/^ The answer is/)
        expect(spent!.tokens).toBeLessThanOrEqual(budget!.tokens!)
        expect(policy.open()).toBe(0)
      }),
      { numRuns: 30 },
    )
  })

  test('a document that ends ends the evidence: nothing else is allowed then', async () => {
    const short = [{ text: 'n1 is Ada.' }]
    const options = { index: await buildPhraseIndex(tokenizer, short), searchEngine: await createBm25Engine(short) }
    const { turns } = await play(obedient(), options)
    expect('n1 is Ada.').toContain(/<\|evidence\|>([^]*)<\|\/evidence\|>/.exec(turns[1]!.text)![1])
  })

  test('a reranker decides which windows come first', async () => {
    const rerank = (_: string, passages: readonly string[]): number[] =>
      passages.map((text) => (text.includes('Bob') ? 1 : 0))
    const { turns } = await play(obedient(), { rerank })
    expect(turns[0]!.observation!.documents[0]!.title).toBe('N2')
  })

  test('faults, and an abort, give the conversation back', async () => {
    const policy = obedient()
    const broken = recordedEngine(() => new Error('HTTP 500'))
    expect(await play(policy, { searchEngine: broken })).toMatchObject({
      failure: { boundary: 'search', message: 'HTTP 500' },
    })
    const rerank = () => Promise.reject(new Error('ranker down'))
    expect(await play(policy, { rerank })).toMatchObject({ failure: { message: 'ranker down' } })
    const controller = new AbortController()
    const slow = { name: 'slow', search: () => new Promise<never>(() => controller.abort(new Error('enough'))) }
    const method = retroLlmMethod(policy, { index, searchEngine: slow })
    await expect(method.answer(question, { seed: 0, signal: controller.signal })).rejects.toThrow('enough')
    expect(policy.open()).toBe(0)
  })

  test('a model without its tokens is refused, and named for what it is where it is wanted', () => {
    const options = { index, searchEngine }
    expect(() =>
      retroLlmMethod(
        scriptedPolicy(() => ''),
        options,
      ),
    ).toThrow(
      'retrollm method: the policy must have a token <|clue|>, scripted has none; take a model tuned by RetroLLM',
    )
    expect(
      retroLlmMethod(
        scriptedPolicy(() => ''),
        { ...options, untrained: true },
      ).name,
    ).toBe('retrollm (untrained)')
    expect(() => retroLlmMethod(scriptedModel([]) as never, options)).toThrow('must be a policy in this process')
    expect(() => retroLlmMethod(obedient(), { searchEngine } as never)).toThrow(
      'index must be an index that buildPhraseIndex has made',
    )
  })
})
