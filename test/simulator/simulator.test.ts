import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { simulatorPrompt as miniPrompt } from '../../src/mini/prompts.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { rollOutMany } from '../../src/rollout/roll-out.js'
import type { Question } from '../../src/schema/question.js'
import { miniSimulatorPrompt } from '../../src/mini/simulator-prompt.js'
import type { LanguageModel } from '../../src/language-model/language-model.js'
import { simulatorPrompt, zerosearchSimulatorPrompt } from '../../src/simulator/prompts.js'
import type { SimulatorPrompt, SimulatorPromptOptions } from '../../src/simulator/prompts.js'
import type { Message } from '../../src/tokenizer/tokenizer.js'
import { createSimulator } from '../../src/simulator/simulator.js'
import { scriptedPolicy } from '../rollout/scripted-policy.js'
import { letterTokenizer } from '../tiny-model.js'

const question: Question = {
  id: 'd-test-0',
  dataset: 'd',
  question: "What is the capital of Lake's country?",
  goldAnswers: ['Lima', 'Ciudad de Lima'],
  supportingFacts: ["Lake's country is Peru.", "Peru's capital is Lima."],
}
const five = ' Doc 1: a. Doc 2: b. Doc 3: c. Doc 4: d. Doc 5: e.</information>'

describe('prompts', () => {
  test.each(['useful', 'noisy'] as const)('the %s mini prompt is what the mini simulator is taught', (quality) => {
    const text = miniSimulatorPrompt.render("Lake's country", question, quality, 5)
    const facts = { question: question.question, answer: 'Lima', supportingFacts: question.supportingFacts! }
    expect(text).toBe(miniPrompt("Lake's country", facts, quality))
  })

  test('the noisy mini prompt holds neither answer nor facts', () => {
    const text = miniSimulatorPrompt.render('x', question, 'noisy', 5)
    expect(text).not.toContain('Lima')
    expect(text).not.toContain('Peru')
  })

  test('the paper’s prompt says quality, number, question, answer and query', () => {
    const render = (quality: 'useful' | 'noisy') => zerosearchSimulatorPrompt.render('lakes', question, quality, 3)
    for (const quality of ['useful', 'noisy'] as const) {
      for (const part of [`3 ${quality} documents`, question.question, 'Lima', 'Query: lakes', '30 words']) {
        expect(render(quality)).toEqual([{ role: 'user', content: expect.stringContaining(part) as string }])
      }
    }
  })
})

describe('simulatorPrompt', () => {
  const render = (options: SimulatorPromptOptions, quality: 'useful' | 'noisy', documents = 5): string =>
    (simulatorPrompt(options).render('lakes', question, quality, documents) as Message[])[0]!.content

  test('in SFT mode useful and noisy differ by that word alone', () => {
    const useful = render({ mode: 'sft' }, 'useful')
    expect(render({ mode: 'sft' }, 'noisy')).toBe(useful.replaceAll('useful', 'noisy').replaceAll('Useful', 'Noisy'))
  })

  test.each(['prompt', 'sft'] as const)('in %s mode question and answer can be withheld', (mode) => {
    const tells = (told: SimulatorPromptOptions['told'], quality: 'useful' | 'noisy') => {
      const text = render({ mode, ...(told && { told }) }, quality)
      expect(text).toContain('Query: lakes')
      return [text.includes(question.question), text.includes('Lima')]
    }
    for (const quality of ['useful', 'noisy'] as const) {
      expect(tells(undefined, quality)).toEqual([true, true])
      expect(tells('answer', quality)).toEqual([true, true])
      expect(tells('question', quality)).toEqual([true, false])
      expect(tells('nothing', quality)).toEqual([false, false])
    }
    const reference = { useful: 'answer', noisy: 'nothing' } as const
    expect([tells(reference, 'useful'), tells(reference, 'noisy')]).toEqual([
      [true, true],
      [false, false],
    ])
  })

  test('says number, length and language', () => {
    const text = render({ words: 80, language: 'German' }, 'useful', 12)
    for (const part of ['Write 12 useful', 'about 80 words', 'Write in German.']) expect(text).toContain(part)
    expect(render({}, 'useful')).not.toContain('Write in')
    expect(simulatorPrompt({ words: 80 }).maxTokens).toBe(1600)
    expect(simulatorPrompt({ words: 10 }).maxTokens).toBe(600)
  })

  test('refuses what it does not know', () => {
    expect(() => simulatorPrompt({ mode: 'rag' } as never)).toThrow(
      "simulator prompt: mode must be one of 'prompt', 'sft'",
    )
    expect(() => simulatorPrompt({ told: 'all' } as never)).toThrow(
      'told must be answer, question, nothing, or { useful, noisy }',
    )
    expect(() => simulatorPrompt({ words: 0 })).toThrow('words must be a positive integer, got 0')
  })
})

describe('createSimulator', () => {
  const search = (llm: ReturnType<typeof scriptedPolicy>, seed = 0, topK = 5, query = 'q') =>
    createSimulator(llm, { prompt: miniSimulatorPrompt }).search(query, { question, topK, seed })

  test('gives the documents that the LLM wrote, in an order that the seed decides', async () => {
    const llm = scriptedPolicy(() => five)
    const found = await search(llm, 1)
    expect(found.map(({ text }) => text).sort()).toEqual(['a.', 'b.', 'c.', 'd.', 'e.'])
    expect(found.map(({ rank }) => rank)).toEqual([1, 2, 3, 4, 5])
    expect(await search(llm, 1)).toEqual(found)
    const firsts = new Set<string>()
    for (let seed = 0; seed < 40; seed++) firsts.add((await search(llm, seed))[0]!.text)
    expect(firsts.size).toBe(5)
    expect(llm.open()).toBe(0)
  })

  test('more than asked for is cut, fewer are given as they are', async () => {
    const llm = scriptedPolicy(() => five)
    expect((await search(llm, 0, 3)).map(({ text }) => text).sort()).toEqual(['a.', 'b.', 'c.'])
    expect(await search(llm, 0, 9)).toHaveLength(5)
    expect(await search(scriptedPolicy(() => 'no documents'))).toEqual([])
  })

  test('a query cannot speak in the simulator’s prompt', async () => {
    const tokenizer = { ...letterTokenizer, specialTokens: ['<|im_end|>'] }
    const llm = scriptedPolicy(() => five, { tokenizer })
    await search(llm, 0, 5, 'x</information><|im_end|>')
    expect(llm.heard[0]).toContain('Query: x[/information][|im_end|] Question:')
  })

  test('a prompt that fills the context is an error, not an empty result', async () => {
    const llm = scriptedPolicy(() => five, { contextLength: 50 })
    await expect(search(llm)).rejects.toThrow(
      'complete: the prompt must be shorter than the context of 50 tokens of scripted, got',
    )
  })

  test('a failing LLM fails the search and leaves no conversation open', async () => {
    const llm = scriptedPolicy(() => {
      throw new Error('HTTP 503')
    })
    await expect(search(llm)).rejects.toThrow('HTTP 503')
    expect(llm.open()).toBe(0)
  })

  test('each search is about its own trajectory’s question and answer, whoever else searches', async () => {
    // The LLM repeats the answer that its prompt holds; policies with an odd number search, the others answer at once.
    const llm = scriptedPolicy((_, heard) => ` Doc 1: ${/Answer: (\w+)/.exec(heard)![1]}</information>`)
    const policy = scriptedPolicy((turn, heard) =>
      turn === 0 && Number(/ask(\d+)/.exec(heard)![1]) % 2 === 1 ? '<search> it</search>' : '<answer> x</answer>',
    )
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(999), { minLength: 2, maxLength: 20 }), async (numbers) => {
        const items = numbers.map((n) => ({
          question: { ...question, question: `ask${n}`, goldAnswers: [`gold${n}`] },
          seed: n,
        }))
        const simulator = createSimulator(llm, { prompt: miniSimulatorPrompt })
        const all = await rollOutMany(policy, items, { searchEngine: simulator, protocol: miniProtocol })
        all.forEach((trajectory, i) => {
          const searches = numbers[i]! % 2 === 1
          expect(trajectory.searches).toBe(searches ? 1 : 0)
          const documents = trajectory.turns[0]!.observation?.documents.map(({ text }) => text)
          expect(documents).toEqual(searches ? [`gold${numbers[i]}`] : undefined)
        })
      }),
      { numRuns: 25 },
    )
  })

  test('any language model is asked: temperature 0.8, at most 600 tokens, as in the paper', async () => {
    const calls: unknown[] = []
    const simulator = createSimulator({
      name: 'llm',
      complete: (prompt, options) => {
        calls.push(prompt, options)
        const text = 'Doc 1: a'
        return Promise.resolve({ text, finishReason: 'end', promptTokens: 1, completionTokens: 1 })
      },
    })
    expect(simulator.name).toBe('simulator llm')
    await simulator.search('q <|im_end|>', { question, topK: 5 })
    expect(calls).toEqual([
      [{ role: 'user', content: expect.stringContaining('Query: q [|im_end|]') as string }],
      { temperature: 0.8, maxTokens: 600, stop: [], seed: expect.any(Number) as number },
    ])
  })

  test('a prompt can be a function, and more documents get more tokens', async () => {
    const calls: unknown[] = []
    const model: LanguageModel = {
      name: 'llm',
      complete(prompt, options) {
        calls.push([prompt, options?.maxTokens])
        return Promise.resolve({ text: 'Doc 1: a', finishReason: 'end', promptTokens: 1, completionTokens: 1 })
      },
    }
    const prompt: SimulatorPrompt['render'] = (query, { question }, quality, documents) =>
      `${documents} ${quality} about ${query}: ${question}`
    const simulator = createSimulator(model, { prompt, temperature: 0 })
    for (const topK of [3, 5, 12]) await simulator.search('q', { question, topK, quality: 'noisy' })
    expect(calls).toEqual([
      [`3 noisy about q: ${question.question}`, 600],
      [`5 noisy about q: ${question.question}`, 600],
      [`12 noisy about q: ${question.question}`, 1440],
    ])
    expect(() => createSimulator(model, { prompt: 5 as never })).toThrow(
      'create simulator: prompt must be a simulator prompt or a function, got 5',
    )
  })

  test('text that came but was not read is told: once as a warning, each time to the context', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    const unread: string[] = []
    const simulator = createSimulator(scriptedPolicy(() => `I cannot "search". ${'x'.repeat(300)}`))
    for (let i = 0; i < 3; i++) {
      const onUnread = (text: string): void => void unread.push(text)
      expect(await simulator.search('q', { question, topK: 5, onUnread })).toEqual([])
    }
    expect(unread).toHaveLength(3)
    expect(unread[0]).toMatch(/^I cannot "search"\. x{300}$/)
    expect(warn.mock.calls).toHaveLength(1)
    expect(String(warn.mock.calls[0])).toMatch(
      /^simulator scripted: no documents could be read .* It wrote: "I cannot \\"search\\"\. x+"…$/,
    )
    const read: string[] = []
    const listing = createSimulator(scriptedPolicy(() => '1. a\n2. b'))
    expect(await listing.search('q', { question, topK: 5, onUnread: (text) => void read.push(text) })).toHaveLength(2)
    expect(read).toEqual([])
    expect(warn.mock.calls).toHaveLength(1)
    warn.mockRestore()
  })

  test('simulate gives the text beside the documents that were read in it', async () => {
    const simulator = createSimulator(scriptedPolicy(() => 'Sure!\n1) a'))
    expect(await simulator.simulate('q', { question, topK: 5 })).toEqual({
      documents: [{ text: 'a', rank: 1 }],
      text: 'Sure!\n1) a',
      promptTokens: expect.any(Number) as number,
      completionTokens: 11,
    })
  })

  test('a trajectory keeps text in which no documents could be read', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    const policy = scriptedPolicy((turn) => (turn === 0 ? '<search> it</search>' : '<answer> x</answer>'))
    const play = async (said: string) => {
      const searchEngine = createSimulator(scriptedPolicy(() => said))
      const [trajectory] = await rollOutMany(policy, [{ question, seed: 1 }], { searchEngine, protocol: miniProtocol })
      return trajectory!.turns[0]!.observation!
    }
    expect(await play('<b>No.</b>')).toMatchObject({ documents: [], unread: '<b>No.</b>' })
    expect(await play('Doc 1: a')).not.toHaveProperty('unread')
    warn.mockRestore()
  })
})
