import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chat } from '../../src/language-model/chat.js'
import type { LanguageModel } from '../../src/language-model/language-model.js'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { policyText } from '../../src/language-model/policy-text.js'
import { loadTokenizer } from '../../src/tokenizer/load-tokenizer.js'
import type { Tokenizer } from '../../src/tokenizer/tokenizer.js'
import { CHECKPOINTS, checkpointFolder, readGolden } from '../model/fixtures.js'
import { scriptedPolicy } from '../rollout/scripted-policy.js'

describe('a local model', () => {
  // Random weights: what it writes is noise, and often holds unfinished characters.
  let model: LocalModel
  beforeAll(async () => {
    model = await loadModel(checkpointFolder('qwen2'), { slots: 4, tokensPerCall: 3 })
  })
  afterAll(() => model.dispose())

  test('continues a text as the recorded greedy ids do', async () => {
    const { prompt, ids } = readGolden('qwen2').greedy[0]!
    const { tokenizer } = model
    const text = tokenizer.decode(prompt)
    expect(tokenizer.encode(text)).toEqual(prompt)
    const completion = await model.complete(text, { temperature: 0, maxTokens: ids.length })
    expect(completion.promptTokens).toBe(prompt.length)
    expect(completion.completionTokens).toBe(ids.length)
    expect(tokenizer.decode(ids).startsWith(completion.text)).toBe(true)
    expect(completion.text.length).toBeGreaterThan(0)
  })

  test('streams whole characters that are its text together, several at a time beside one another', async () => {
    const ask = async (seed: number) => {
      const pieces: string[] = []
      const completion = await model.complete('Once', { seed, maxTokens: 60, onText: (piece) => pieces.push(piece) })
      expect(pieces.join('')).toBe(completion.text)
      for (const piece of pieces) expect(piece).not.toMatch(/\p{Cs}/u)
      return { completion, pieces }
    }
    const all = await Promise.all(Array.from({ length: 8 }, (_, seed) => ask(seed)))
    expect(all.some(({ pieces }) => pieces.length > 3)).toBe(true)
    // The seed decides, not what runs beside it.
    for (const seed of [0, 5]) expect((await ask(seed)).completion).toEqual(all[seed]!.completion)
    expect(new Set(all.map(({ completion }) => completion.text)).size).toBe(8)
  })

  test('a callback that throws fails its own completion alone', async () => {
    const failing = model.complete('a', {
      onText: () => {
        throw new Error('my mistake')
      },
    })
    const [failed, good] = await Promise.allSettled([failing, model.complete('b', { maxTokens: 30 })])
    expect(failed).toMatchObject({ status: 'rejected', reason: new Error('my mistake') })
    expect(good.status).toBe('fulfilled')
  })

  test('a stopped completion is silent afterwards, and gives its slot back', async () => {
    for (let round = 0; round < 3; round++) {
      const controller = new AbortController()
      let pieces = 0
      const running = Array.from({ length: 9 }, (_, seed) =>
        model.complete('x', {
          seed,
          maxTokens: 200,
          signal: controller.signal,
          onText: () => {
            pieces++
            controller.abort(new Error('stopped by hand'))
          },
        }),
      )
      for (const each of await Promise.allSettled(running)) {
        expect(each).toMatchObject({ status: 'rejected', reason: new Error('stopped by hand') })
      }
      const before = pieces
      expect((await model.complete('y', { maxTokens: 5 })).completionTokens).toBe(5)
      expect(pieces).toBe(before)
    }
  })

  test('a chat goes through the template, its default system prompt included', async () => {
    const { tokenizer } = model
    const asText = tokenizer.renderPrompt([{ role: 'user', content: 'Hello' }])
    expect(asText).toContain('You are a helpful assistant.')
    const options = { maxTokens: 12, seed: 3 }
    const answer = await chat(model, 'Hello', options)
    expect(answer).toEqual(await model.complete(asText, options))
    expect(answer.promptTokens).toBe(tokenizer.encode(asText).length)
    const system = { role: 'system', content: 'Be brief.' } as const
    const longer = await chat(model, [system, { role: 'user', content: 'Hello' }], options)
    expect(longer.promptTokens).toBeLessThan(answer.promptTokens)
  })

  test.each([
    [['x', { maxToken: 3 }], 'there is no option maxToken; did you mean maxTokens?'],
    [['x', { maxTokens: 0 }], 'maxTokens must be a positive integer, got 0'],
    [['x', { temperature: -1 }], 'temperature must be 0 (greedy) or at least 0.001, got -1'],
    [['x', { stop: [''] }], 'stop.0 must have a length of at least 1'],
    [[''], 'prompt must not be empty'],
    [[5], 'prompt must be a text or a list of messages, got 5'],
    [[[]], 'prompt must not be empty'],
    [[[{ role: 'policy', content: 'x' }]], "prompt.0.role must be one of 'system', 'user', 'assistant', got 'policy'"],
    [['x '.repeat(2000)], 'the prompt must be shorter than the context of'],
  ])('%j is refused', async (given, message) => {
    const [prompt, options] = given as [string, object?]
    await expect(model.complete(prompt, options)).rejects.toThrow(`complete: ${message}`)
  })
})

describe.each(CHECKPOINTS)('with the tokenizer of %s', (name) => {
  let tokenizer: Tokenizer
  beforeAll(async () => {
    tokenizer = await loadTokenizer(checkpointFolder(name))
  })

  /** Says what it is given, two tokens at a time. */
  const speaking = (text: string): LanguageModel => {
    const policy = scriptedPolicy(() => text, { tokenizer, contextLength: 1e6 })
    return policyText({
      ...policy,
      start: async (sampling, seed) => {
        const conversation = await policy.start(sampling, seed)
        return {
          ...conversation,
          async generate(ids, limits, onIds) {
            const generation = await conversation.generate(ids, limits)
            for (let end = 2; end < generation.ids.length; end += 2) onIds?.(generation.ids.slice(0, end))
            return generation
          },
        }
      },
    })
  }

  test('pieces of any text are whole characters and make the text, up to the stop string', async () => {
    const piece = fc.oneof(
      fc.constantFrom('</answer>', '<answer>', '</ans', '\nQ', '👩‍👩‍👧', '東京', 'é', '\uFFFD'),
      fc.string({ unit: 'grapheme', maxLength: 8 }),
    )
    const stops = fc.subarray(['</answer>', '\nQuestion', 'Q', '東京都', '👧'])
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), stops, async (parts, stop) => {
        const pieces: string[] = []
        const onText = (text: string): void => void pieces.push(text)
        const { text, finishReason, stopString } = await speaking(parts.join('')).complete('x', { stop, onText })
        expect(pieces.join('')).toBe(text)
        for (const each of pieces) expect(each).not.toMatch(/\p{Cs}/u)
        for (const each of stop) expect(text).not.toContain(each)
        expect(stopString !== undefined).toBe(finishReason === 'stop')
      }),
      { numRuns: 100 },
    )
  })

  test('a text is cut to so many tokens', () => {
    const model = speaking('')
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.nat(30), (text, maxTokens) => {
        const cut = model.truncate!(text, maxTokens)
        if (tokenizer.encode(text).length <= maxTokens) expect(cut).toBe(text)
        else expect(tokenizer.encode(cut).length).toBeLessThanOrEqual(maxTokens)
      }),
    )
  })
})

test('why a completion ended, and the stop string that came first', async () => {
  const complete = (said: string, options = {}) => scriptedPolicy(() => said).complete('x', options)
  const prompt = { promptTokens: 1 }
  expect(await complete('abc')).toEqual({ ...prompt, text: 'abc', finishReason: 'end', completionTokens: 4 })
  expect(await complete('abc', { maxTokens: 2 })).toMatchObject({ text: 'ab', finishReason: 'length' })
  expect(await complete('abcd', { stop: ['d', 'bc', 'c'] })).toEqual({
    ...prompt,
    text: 'a',
    finishReason: 'stop',
    stopString: 'bc',
    completionTokens: 3,
  })
})
