import { describe, expect, it } from 'vitest'
import { NEUTRAL, PERFECT } from '../../data/mini/build/behaviours.js'
import type { Odds } from '../../data/mini/build/behaviours.js'
import { wordwiseEncoder } from '../../data/mini/build/encode.js'
import { policyExample, policyText, simulatorExample } from '../../data/mini/build/examples.js'
import { IN_DOMAIN, readFacts, splitNames } from '../../data/mini/build/facts.js'
import { information, policyPrompt, simulatorPrompt } from '../../src/mini/prompts.js'
import { trainingSource } from '../../data/mini/build/source.js'
import { createRandom } from '../../src/random/seeded-random.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { miniSimulatorPrompt } from '../../src/mini/simulator-prompt.js'
import { loadTokenizer } from '../../src/tokenizer/load-tokenizer.js'

const tokenizer = await loadTokenizer('data/mini/tokenizer')
const source = {
  tokenizer: { vocabSize: tokenizer.vocabSize, encode: wordwiseEncoder(tokenizer) },
  ...trainingSource(),
}
const facts = readFacts()
const outOfDomain = [...new Set(facts.map((fact) => fact.relation))].filter((relation) => !IN_DOMAIN.includes(relation))
const options = (odds: Odds): Parameters<typeof policyExample>[2] => ({
  odds,
  noise: 0.2,
  documents: 5,
  real: 0.4,
  hops: [0.55, 0.37, 0.08],
  informationWeight: 0.1,
  copies: 0,
  drills: 0,
})

/** A whole policy text: thoughts and a search or an answer, each search with its documents, one answer at the end. */
const WELL_FORMED =
  /^Question: [^<>]+(<think> [^<>]+<\/think>)+(<search> [^<>]+'s [^<>]+<\/search><information>( Doc [1-5]: [^<>]+?){5}<\/information>(<think> [^<>]+<\/think>)*)*<answer> [^<>]+<\/answer><\|endoftext\|>$/

/** Runs of up to four words. */
function phrases(text: string): Set<string> {
  const words = text.replace(/'s\b/g, '').match(/[A-Za-z0-9][A-Za-z0-9'-]*/g) ?? []
  return new Set(words.flatMap((_, i) => [1, 2, 3, 4].map((count) => words.slice(i, i + count).join(' '))))
}

describe('training text of the policy', () => {
  it('is well formed, in all behaviours', () => {
    const random = createRandom(1)
    for (let i = 0; i < 1000; i++) {
      const { ids, tokenWeights } = policyExample(random, source, options(i % 2 === 0 ? PERFECT : NEUTRAL))
      expect(tokenizer.decode(ids)).toMatch(WELL_FORMED)
      expect(tokenWeights.length).toBe(ids.length)
    }
  })

  it('weighs what the policy writes 1, documents as told, the prompt 0', () => {
    const random = createRandom(2)
    for (let i = 0; i < 100; i++) {
      const { ids, tokenWeights } = policyExample(random, source, options(PERFECT))
      const at = (weight: number): string => tokenizer.decode(ids.filter((_, n) => tokenWeights[n] === weight))
      expect(at(0)).toMatch(/^Question: [^<]+$/)
      expect(at(0.1)).toMatch(/^(<information>[^<]+<\/information>)+$/)
      expect(at(1)).not.toContain('information>')
      expect(new Set(tokenWeights)).toEqual(new Set([0, 0.1, 1]))
    }
  })

  it('repeats for a seed, and differs for another', () => {
    const draw = (seed: number): string[] => {
      const random = createRandom(seed)
      return Array.from({ length: 20 }, () => policyText(random, source, options(NEUTRAL)))
    }
    expect(draw(3)).toEqual(draw(3))
    expect(draw(3)).not.toEqual(draw(4))
  })

  it('names nothing of the other splits and no out-of-domain relation, in 20,000 texts', () => {
    const reserved = splitNames(facts.filter((fact) => fact.split !== 'train'))
    // A word of a training name may be another place's whole name: Thompson, in "Thompson Falls".
    const parts = new Map<string, string[]>()
    for (const name of source.base.names) {
      for (const part of phrases(name)) if (reserved.has(part)) parts.set(part, [...(parts.get(part) ?? []), name])
    }
    expect(parts.size).toBeLessThan(30)
    const random = createRandom(4)
    for (let i = 0; i < 20_000; i++) {
      const text = policyText(random, source, options(i % 2 === 0 ? PERFECT : NEUTRAL))
      for (const phrase of phrases(text)) {
        if (!reserved.has(phrase)) continue
        expect(
          parts.get(phrase)?.some((name) => text.includes(name)),
          `${phrase} in: ${text}`,
        ).toBe(true)
      }
      for (const relation of outOfDomain) expect(text.includes(`${relation} `), `${relation} in: ${text}`).toBe(false)
    }
  })

  it('decides as the odds say', () => {
    const random = createRandom(8)
    const texts = Array.from({ length: 1000 }, () => policyText(random, source, { ...options(NEUTRAL), hops: [1] }))
    const share = texts.filter((text) => text.includes('<search>')).length / texts.length
    expect(share).toBeGreaterThan(NEUTRAL.search - 0.06)
    expect(share).toBeLessThan(NEUTRAL.search + 0.06)
    const perfect = Array.from({ length: 200 }, () => policyText(random, source, options(PERFECT)))
    expect(perfect.every((text) => text.includes('<search>') && !/I guess|I know this/.test(text))).toBe(true)
  })
})

describe('training text of the simulator', () => {
  const half = { ...options(PERFECT), noise: 0.5 }

  it('states the wanted fact in the first useful document, and no answer in the prompt for noise', () => {
    const random = createRandom(5)
    let useful = 0
    for (let i = 0; i < 1000; i++) {
      const text = tokenizer.decode(simulatorExample(random, source, half).ids)
      const [head, documents] = text.split('<information>') as [string, string]
      expect(documents).toMatch(/^( Doc [1-5]: [^<>]+?){5}<\/information>$/)
      if (!head.startsWith('Useful')) {
        expect(head).not.toContain('Answer:')
        continue
      }
      useful++
      const [, entity, relation] = /Query: (.+)'s (.+?) Question:/.exec(head)!
      const value = head
        .slice(head.indexOf(' Facts: '))
        .split(`${entity}'s ${relation} is `)[1]!
        .split(/\.( |$)/)[0]!
      const first = documents.split(' Doc 2: ')[0]!
      for (const part of [entity!, relation!, value]) expect(first).toContain(part)
    }
    expect(useful).toBeGreaterThan(400)
    expect(useful).toBeLessThan(600)
  })

  it('noisy documents leave out the value of the query and the answer', () => {
    // The prompt of noise names neither: they are found through the fact that the query is about.
    const byQuery = new Map(facts.map((fact) => [`${fact.entity}'s ${fact.relation}`, fact.value]))
    const random = createRandom(6)
    let checked = 0
    for (let i = 0; i < 1000; i++) {
      const text = tokenizer.decode(simulatorExample(random, source, { ...half, real: 1, hops: [1] }).ids)
      const query = /^Noisy documents. Query: (.+) Question:/.exec(text)?.[1]
      if (query === undefined) continue
      const value = byQuery.get(query)!
      checked++
      expect(text.split('<information>')[1]).not.toContain(` ${value}.`)
      expect(text.split('<information>')[1]).not.toContain(` ${value}'s `)
    }
    expect(checked).toBeGreaterThan(400)
  })

  it('has no answer for a query that goes one hop too far', () => {
    const random = createRandom(9)
    let tooFar = 0
    for (let i = 0; i < 500; i++) {
      const further = { ...options({ ...PERFECT, query: 0 }), noise: 0 }
      const [head, documents] = tokenizer.decode(simulatorExample(random, source, further).ids).split('<information>')
      const [, query, answer] = /Query: (.+) Question: .+ Answer: (.+?) Facts: /.exec(head!)!
      // A chain may be a circle, an airport's city's airport: there the further query is one of its own.
      if (head!.split(' Facts: ')[1]!.includes(`${query!} is `)) continue
      tooFar++
      expect(query!.startsWith(`${answer!}'s `)).toBe(true)
      expect(documents).not.toContain(` is ${answer!}.`)
    }
    expect(tooFar).toBeGreaterThan(450)
  })
})

describe('prompts', () => {
  const question = {
    id: 'q',
    dataset: 'mini-nq',
    question: "What is Peru's capital?",
    goldAnswers: ['Lima'],
    supportingFacts: ["Peru's capital is Lima."],
  }

  it('are those that the library renders', () => {
    expect(tokenizer.decode(miniProtocol.prompt(tokenizer, question.question))).toBe(policyPrompt(question.question))
    const documents = ['One.', 'Two.'].map((text, i) => ({ title: 'T', text, rank: i + 1 }))
    expect(miniProtocol.observation(documents)).toBe(information(['One.', 'Two.']))
    for (const quality of ['useful', 'noisy'] as const) {
      const text = miniSimulatorPrompt.render("Peru's capital", question, quality, 5)
      const own = simulatorPrompt("Peru's capital", { ...question, answer: 'Lima' }, quality)
      expect(text).toBe(own)
    }
  })
})

describe('tokenizer', () => {
  it('has 2,048 ids, tags as one each, digits apart, and one encoding for a name', () => {
    expect(tokenizer.vocabSize).toBe(2048)
    for (const tag of ['<think>', '</search>', '<information>', '</answer>', '<|endoftext|>'])
      expect(tokenizer.encode(tag)).toHaveLength(1)
    expect(tokenizer.encode(' 1072')).toHaveLength(4)
    const name = tokenizer.encode(' Thompson Falls')
    for (const text of ['<search> Thompson Falls</search>', "Doc 1: Thompson Falls's region", '(see Thompson Falls)'])
      expect(tokenizer.encode(text).join(' ')).toContain(name.join(' '))
  })

  it('gives back every text, and word by word the same ids', () => {
    const random = createRandom(7)
    const texts = Array.from({ length: 300 }, () => policyText(random, source, options(NEUTRAL)))
    for (const text of [
      ...texts,
      "Côte d'Ivoire's 12'34 a<search>b <|endoftext|>",
      'a_b -- \n\n x  y',
      '',
      '</',
      '.<',
    ]) {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text)
      expect(source.tokenizer.encode(text)).toEqual(tokenizer.encode(text))
    }
  })
})
