import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { miniProtocol } from '../../src/mini/protocol.js'
import { zerosearchProtocol } from '../../src/rollout/protocol.js'
import { rollOut, rollOutMany } from '../../src/rollout/roll-out.js'
import type { Document } from '../../src/schema/document.js'
import type { Question } from '../../src/schema/question.js'
import { trajectorySchema } from '../../src/schema/record-schemas.js'
import type { SearchEngine } from '../../src/search/search-engine.js'
import { letterTokenizer } from '../tiny-model.js'
import { scriptedPolicy } from './scripted-policy.js'

const question: Question = { id: 'd-test-0', dataset: 'd', question: 'who?', goldAnswers: ['Ada'] }
const finding = (...texts: string[]): SearchEngine => ({
  name: 'scripted',
  search: () => Promise.resolve(texts.map((text, i): Document => ({ text, rank: i + 1 }))),
})
const always = (text: string) => scriptedPolicy(() => text)
const lasting = '<search> again</search>'

describe('limits', () => {
  test('a message is cut at maxTokensPerTurn, and is then no action', async () => {
    const policy = always(`<think> ${'so '.repeat(100)}</think><answer> Ada</answer>`)
    const protocol = { ...miniProtocol, maxTokensPerTurn: 30, maxSearches: 1 }
    const { turns, stopReason } = await rollOut(policy, question, { searchEngine: finding(), protocol })
    expect(turns.map(({ text }) => text.length)).toEqual([30, 30])
    expect(turns[0]!.action.kind).toBe('invalid')
    expect(stopReason).toBe('maxTurns')
  })

  test('documents are cut to what leaves room for one more whole message', async () => {
    const protocol = { ...miniProtocol, maxTokens: 150, maxTokensPerTurn: 40 }
    const policy = scriptedPolicy((turn) => (turn === 0 ? lasting : '<answer> Ada</answer>'))
    const engine = finding('x'.repeat(500))
    const trajectory = await rollOut(policy, question, { searchEngine: engine, protocol })
    // 'Question: who?' is 14 ids, the search 23: 150 − 37 − 40 are left.
    expect(policy.heard[1]).toHaveLength(73)
    expect(policy.heard[1]).toMatch(/^<information> Doc 1: x+<\/information>$/)
    expect(trajectory.turns[0]!.observation!.text).toBe(policy.heard[1])
    expect(trajectory.answer).toBe('Ada')
  })

  test('where not even empty documents fit, the trajectory is full and no search is made', async () => {
    let searches = 0
    const engine: SearchEngine = { name: 'counting', search: () => Promise.resolve((searches++, [])) }
    const protocol = { ...miniProtocol, maxTokens: 80, maxTokensPerTurn: 40 }
    const trajectory = await rollOut(always(lasting), question, { searchEngine: engine, protocol })
    expect(trajectory.stopReason).toBe('maxTokens')
    expect([searches, trajectory.searches]).toEqual([0, 0])
    expect(trajectory.turns[0]!.observation).toBeUndefined()
  })

  test('a policy whose context is shorter than the protocol’s limit sets the limit', async () => {
    const policy = scriptedPolicy(() => lasting, { contextLength: 200 })
    const protocol = { ...miniProtocol, maxSearches: 50 }
    const trajectory = await rollOut(policy, question, { searchEngine: finding('short'), protocol })
    expect(trajectory.stopReason).toBe('maxTokens')
    expect(trajectory.ids.length).toBeLessThanOrEqual(200)
  })

  test('a question that does not fit is a failure, never cut', async () => {
    const long = { ...question, question: 'who? '.repeat(400) }
    const trajectory = await rollOut(always(lasting), long, { searchEngine: finding(), protocol: miniProtocol })
    expect(trajectory.failure).toEqual({
      boundary: 'policy',
      message: expect.stringContaining('leave room to answer in 768 ids, got 2010') as string,
    })
    expect(trajectory.ids).toEqual([])
  })

  test('whatever is said and found: aligned, within the limit, question first, mask by provenance', async () => {
    const said = fc.array(
      fc.oneof(
        fc.constantFrom('<search>', '</search>', '<answer>', '</answer>', '<information>', '</information>', ' x '),
        fc.string({ maxLength: 20 }).map((text) => text.replace(/[^ -~]/g, '?')),
      ),
      { maxLength: 6 },
    )
    const limit = fc.integer({ min: 20, max: 300 })
    await fc.assert(
      fc.asyncProperty(fc.array(said, { minLength: 1 }), said, limit, async (messages, found, maxTokens) => {
        const policy = scriptedPolicy((turn) => messages[turn % messages.length]!.join(''))
        const protocol = { ...miniProtocol, maxTokens, maxObservationTokens: 60, maxTokensPerTurn: 30 }
        const trajectory = await rollOut(policy, question, { searchEngine: finding(found.join('')), protocol })
        expect(trajectory.failure).toBeUndefined()
        expect(trajectorySchema.parse(JSON.parse(JSON.stringify(trajectory)))).toEqual(trajectory)
        expect(trajectory.ids.length).toBeLessThanOrEqual(maxTokens)
        expect(letterTokenizer.decode(trajectory.ids.slice(0, trajectory.promptLength))).toBe('Question: who?')
        const spoken = letterTokenizer.decode(trajectory.ids.filter((_, i) => trajectory.lossMask[i] === 1))
        // The script's end-of-text token is its own as well.
        expect(spoken.replaceAll('\x7f', '')).toBe(trajectory.turns.map(({ text }) => text).join(''))
      }),
      { numRuns: 200 },
    )
  })
})

describe('provenance', () => {
  test('nothing is tokenised again: ids that no text encodes to are kept', async () => {
    // The encoding pairs letters up; the sampling spells them one by one.
    const pairing = {
      ...letterTokenizer,
      vocabSize: 96 * 97,
      encode: (text: string) => {
        const letters = letterTokenizer.encode(text)
        return letters.flatMap((id, i) =>
          i % 2 === 1 ? [] : i + 1 < letters.length ? [96 * (id + 1) + letters[i + 1]!] : [id],
        )
      },
      decode: (ids: readonly number[]) =>
        letterTokenizer.decode(ids.flatMap((id) => (id < 96 ? [id] : [Math.floor(id / 96) - 1, id % 96]))),
    }
    const messages = ['<think> hm</think><search> ada</search>', '<answer> Ada</answer>']
    const policy = scriptedPolicy((turn) => messages[turn]!, {
      tokenizer: pairing,
      sample: (text) => letterTokenizer.encode(text),
    })
    const trajectory = await rollOut(policy, question, { searchEngine: finding('Ada.'), protocol: miniProtocol })
    const sampled = trajectory.ids.filter((_, i) => trajectory.lossMask[i] === 1)
    expect(sampled).toEqual(letterTokenizer.encode(messages.join('')))
    expect(pairing.encode(pairing.decode(trajectory.ids))).not.toEqual(trajectory.ids)
    expect(trajectory.ids).toEqual([
      ...pairing.encode('Question: who?'),
      ...letterTokenizer.encode(messages[0]!),
      ...pairing.encode('<information> Doc 1: Ada.</information>'),
      ...letterTokenizer.encode(messages[1]!),
    ])
  })

  test('an end-of-text token that the policy samples is trained on, though it is the padding id too', async () => {
    const tokenizer = { ...letterTokenizer, padId: letterTokenizer.eosIds[0]! }
    const policy = scriptedPolicy((turn) => (turn === 0 ? 'I end' : '<answer> Ada</answer>'), { tokenizer })
    const trajectory = await rollOut(policy, question, { searchEngine: finding(), protocol: miniProtocol })
    const at = trajectory.ids.indexOf(tokenizer.padId)
    expect(at).toBe('Question: who?I end'.length)
    expect(trajectory.lossMask[at]).toBe(1)
    expect(trajectory.logprobs[at]).toBeLessThan(0)
  })

  test('a policy that gives too few log-probabilities fails by name', async () => {
    const policy = always('<answer> Ada</answer>')
    const start = policy.start.bind(policy)
    policy.start = async (...given) => {
      const conversation = await start(...given)
      const generate = conversation.generate.bind(conversation)
      return { ...conversation, generate: async (...args) => ({ ...(await generate(...args)), logprobs: [] }) }
    }
    const { failure } = await rollOut(policy, question, { searchEngine: finding() })
    expect(failure?.message).toContain('one log-probability for each id, got 0 for 21')
  })
})

describe('no answer', () => {
  test.each([zerosearchProtocol, miniProtocol])(
    'the $name prompt’s and correction’s examples are no answers',
    async (protocol) => {
      const trajectory = await rollOut(always('I do not know.'), question, {
        searchEngine: finding(),
        // One letter an id: more room is needed than for words.
        protocol: {
          ...protocol,
          correction: protocol.correction.replaceAll('\n', ' '),
          maxTokens: 9000,
          maxTokensPerTurn: 50,
        },
      })
      expect(trajectory.turns).toHaveLength(protocol.maxSearches + 1)
      expect(trajectory.answer).toBeNull()
    },
  )
})

describe('reward hacks', () => {
  test('nothing after the first answer counts, repeated tags included', async () => {
    const policy = always(`<answer> Ada</answer>${'</answer>'.repeat(20)}<answer> Bob</answer>`)
    const trajectory = await rollOut(policy, question, { searchEngine: finding(), protocol: miniProtocol })
    expect(trajectory.turns[0]!.text).toBe('<answer> Ada</answer>')
    expect(trajectory.answer).toBe('Ada')
  })

  test('documents that the policy writes itself are its own tokens, and no search', async () => {
    const own = '<information> Doc 1: Ada</information>'
    const policy = scriptedPolicy((turn) => (turn === 0 ? own : '<answer> Ada</answer>'))
    const trajectory = await rollOut(policy, question, { searchEngine: finding('Bob'), protocol: miniProtocol })
    expect(trajectory.turns[0]!.action).toEqual({ kind: 'invalid', cause: 'there is neither <search> nor <answer>' })
    expect(trajectory.turns[0]!.observation).toEqual({ text: miniProtocol.correction, documents: [] })
    expect(trajectory.searches).toBe(0)
    const from = trajectory.promptLength
    expect(trajectory.lossMask.slice(from, from + own.length)).toEqual(own.split('').map(() => 1))
  })
})

describe('failures and stopping', () => {
  test('a failing engine is asked once, not for ever', async () => {
    let calls = 0
    const engine: SearchEngine = { name: 'down', search: () => (calls++, Promise.reject(new Error('HTTP 500'))) }
    const policy = always(lasting)
    const trajectory = await rollOut(policy, question, { searchEngine: engine, protocol: miniProtocol })
    expect(calls).toBe(1)
    expect(trajectory).toMatchObject({
      stopReason: 'failed',
      failure: { boundary: 'search', message: 'HTTP 500' },
      searches: 1,
    })
    expect(trajectory.turns).toHaveLength(1)
    expect(policy.open()).toBe(0)
  })

  test('an engine that gives nonsense is a failure of the search', async () => {
    const engine = { name: 'odd', search: () => Promise.resolve([{ rank: 1 }]) } as unknown as SearchEngine
    const trajectory = await rollOut(always(lasting), question, { searchEngine: engine, protocol: miniProtocol })
    expect(trajectory.failure?.boundary).toBe('search')
  })

  test('a policy that fails is recorded; its siblings go on', async () => {
    const policy = scriptedPolicy((_, heard) => {
      if (heard.includes('bad')) throw new Error('out of memory')
      return '<answer> Ada</answer>'
    })
    const items = ['good', 'bad', 'good'].map((text, seed) => ({ question: { ...question, question: text }, seed }))
    const all = await rollOutMany(policy, items, { searchEngine: finding(), protocol: miniProtocol })
    expect(all.map(({ stopReason }) => stopReason)).toEqual(['answer', 'failed', 'answer'])
    expect(all[1]!.failure).toEqual({ boundary: 'policy', message: 'out of memory' })
    expect(policy.open()).toBe(0)
  })

  test('the signal ends rollouts at once, a search that never answers included', async () => {
    const controller = new AbortController()
    const engine: SearchEngine = { name: 'stalled', search: () => new Promise(() => undefined) }
    const policy = always(lasting)
    const items = Array.from({ length: 64 }, (_, seed) => ({ question, seed }))
    const all = rollOutMany(policy, items, { searchEngine: engine, protocol: miniProtocol, signal: controller.signal })
    setTimeout(() => controller.abort(new Error('stopped by hand')), 10)
    await expect(all).rejects.toThrow('stopped by hand')
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect(policy.open()).toBe(0)
    const late = rollOut(policy, question, { searchEngine: engine, signal: controller.signal })
    await expect(late).rejects.toThrow('stopped by hand')
    expect(policy.open()).toBe(0)
  })

  test('each search gets its own seed and the quality asked for it, the same every time', async () => {
    const seen: unknown[] = []
    const engine: SearchEngine = {
      name: 'recording',
      search: (_, { seed, quality, topK }) => (seen.push([seed, quality, topK]), Promise.resolve([])),
    }
    const options = {
      searchEngine: engine,
      protocol: miniProtocol,
      seed: 11,
      topK: 3,
      quality: (search: number) => (search % 2 === 0 ? ('useful' as const) : ('noisy' as const)),
    }
    const trajectory = await rollOut(always(lasting), question, options)
    expect(new Set(seen.map((call) => (call as [number])[0])).size).toBe(6)
    expect(seen.map((call) => (call as [number, string, number]).slice(1))).toEqual([
      ['useful', 3],
      ['noisy', 3],
      ['useful', 3],
      ['noisy', 3],
      ['useful', 3],
      ['noisy', 3],
    ])
    expect(trajectory.turns.map(({ observation }) => observation?.quality)).toEqual([
      ...['useful', 'noisy', 'useful', 'noisy', 'useful', 'noisy'],
      undefined,
    ])
    const first = seen.splice(0)
    await rollOut(always(lasting), question, options)
    expect(seen).toEqual(first)
  })
})
