import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { IN_DOMAIN, readFacts, splitNames } from '../../data/mini/build/facts.js'
import { MINI_DATASETS, miniDocuments, miniQuestions } from '../../src/mini/dataset.js'
import type { Split } from '../../src/mini/dataset.js'
import { createBm25Engine } from '../../src/search/bm25.js'

const SPLITS: Split[] = ['train', 'validation', 'test']
const facts = readFacts()
const of = (split: Split): typeof facts => facts.filter((fact) => fact.split === split)
const saying = (split: Split): Map<string, string> =>
  new Map(of(split).map(({ entity, relation, value }) => [`${entity}'s ${relation} is ${value}.`, relation]))
const setsOf = (split: Split): readonly (typeof MINI_DATASETS)[number][] =>
  split === 'train' ? ['mini-nq', 'mini-hotpotqa'] : MINI_DATASETS

describe('facts', () => {
  it('give every name to one split, and every entity one value of a relation', () => {
    const names = SPLITS.map((split) => splitNames(of(split)))
    for (const [i, own] of names.entries()) {
      for (const other of names.slice(i + 1)) expect([...own].filter((name) => other.has(name))).toEqual([])
    }
    expect(new Set(facts.map((fact) => `${fact.entity}|${fact.relation}`)).size).toBe(facts.length)
  })

  it('are plain ASCII', () => {
    expect(facts.filter((fact) => !/^[ -~]+$/.test(`${fact.entity}${fact.relation}${fact.value}`))).toEqual([])
  })

  it('name the sources that they were taken from, with their licence', () => {
    const notices = readFileSync('data/mini/LICENSES.md', 'utf8')
    const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      devDependencies: Record<string, string>
    }
    for (const source of ['countries-list', 'periodic-table-data-complete']) {
      expect(notices).toContain(`${source} ${devDependencies[source]}`)
      expect(readFileSync(`node_modules/${source}/LICENSE`, 'utf8')).toContain('Permission is hereby granted')
    }
    expect(notices).toContain('airportsdata 20260905')
  })
})

describe.each(SPLITS)('%s', (split) => {
  it('has documents of its own facts alone', async () => {
    const documents = await miniDocuments(split)
    const own = new Map(of(split).map(({ entity, relation, value }) => [`${entity}|${relation}|${value}`, 0]))
    expect(new Set(documents.map((document) => document.id)).size).toBe(documents.length)
    const wanted = split === 'train' ? of(split).filter((fact) => IN_DOMAIN.includes(fact.relation)) : of(split)
    expect(documents.length).toBe(wanted.length)
    expect(own.size).toBe(of(split).length)
    // One document a fact, in the order of the facts.
    documents.forEach(({ title, text }, i) => {
      const { entity, relation, value } = wanted[i]!
      expect(title).toBe(entity)
      for (const part of [entity, relation, value]) expect(text).toContain(part)
      // Besides them there are a few words of a sentence, and nothing that another fact would need.
      expect(text.length - `${entity}${relation}${value}`.length).toBeLessThan(20)
    })
  })

  it('asks questions whose chains are facts of the split, ending in the gold answer', async () => {
    const known = saying(split)
    for (const set of setsOf(split)) {
      const questions = await miniQuestions(set, split)
      expect(questions.length).toBe(split === 'train' ? 2000 : 200)
      expect(new Set(questions.map(({ question }) => question)).size).toBe(questions.length)
      for (const { goldAnswers, supportingFacts, question } of questions) {
        expect(supportingFacts!.every((fact) => known.has(fact))).toBe(true)
        let entity: string | undefined
        for (const fact of supportingFacts!) {
          const [subject, value] = fact.slice(0, -1).split(' is ') as [string, string]
          if (entity !== undefined) expect(subject.startsWith(`${entity}'s `)).toBe(true)
          else expect(question).toContain(subject.slice(0, subject.lastIndexOf("'s ")).slice(1))
          entity = value
        }
        expect(goldAnswers).toEqual([entity])
      }
    }
  })

  it('holds the answering document among the first five that BM25 finds for "entity\'s relation"', async () => {
    const engine = await createBm25Engine(await miniDocuments(split))
    let found = 0
    let asked = 0
    for (const set of setsOf(split)) {
      for (const question of (await miniQuestions(set, split)).slice(0, 100)) {
        for (const fact of question.supportingFacts!) {
          const [query, value] = fact.slice(0, -1).split(' is ') as [string, string]
          const entity = query.slice(0, query.lastIndexOf("'s "))
          const relation = query.slice(query.lastIndexOf("'s ") + 3)
          const documents = await engine.search(query, { question, topK: 5 })
          asked++
          if (documents.some(({ title, text }) => title === entity && text.includes(relation) && text.includes(value)))
            found++
        }
      }
    }
    expect(found / asked).toBeGreaterThan(0.99)
  })
})

describe('question sets', () => {
  it('are many-valued enough that one fixed answer is seldom right', async () => {
    for (const split of ['validation', 'test'] as const) {
      for (const set of MINI_DATASETS) {
        const counts = new Map<string, number>()
        for (const { goldAnswers } of await miniQuestions(set, split))
          counts.set(goldAnswers[0]!, (counts.get(goldAnswers[0]!) ?? 0) + 1)
        // Answers of chains through a country are shared by its cities.
        expect(Math.max(...counts.values())).toBeLessThanOrEqual(set === 'mini-musique' ? 40 : 20)
      }
    }
  })

  it('ask in-domain relations in training', async () => {
    const known = saying('train')
    for (const set of setsOf('train')) {
      for (const { supportingFacts } of await miniQuestions(set, 'train'))
        for (const fact of supportingFacts!) expect(IN_DOMAIN).toContain(known.get(fact))
    }
  })
})
