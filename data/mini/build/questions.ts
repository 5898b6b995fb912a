// Documents and question sets of every split: writes ../documents-*.jsonl and ../mini-*-*.jsonl. Run: npm run mini:questions
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Question } from '../../../src/schema/question.js'
import { createRandom, pick, shuffle } from '../../../src/random/seeded-random.js'
import type { Random } from '../../../src/random/seeded-random.js'
import { IN_DOMAIN, readFacts } from './facts.js'
import type { Split } from './facts.js'
import { capital, carrier, inDomainQuestion, ofSubject, sentence, subject } from './language.js'
import type { Fact } from './language.js'

interface QuestionSet {
  name: string
  sizes: Partial<Record<Split, number>>
  /** Paths of relations, one question each. */
  paths: string[][]
  ask(random: Random, entity: string, relations: readonly string[]): string
}

const frames =
  (frames: readonly string[], phrase: typeof subject) =>
  (random: Random, entity: string, relations: readonly string[]): string =>
    capital(pick(random, frames).replace('*', phrase(entity, relations)))

const EVALUATION = { validation: 200, test: 200 }

const SETS: QuestionSet[] = [
  {
    name: 'mini-nq',
    sizes: { train: 2000, ...EVALUATION },
    paths: IN_DOMAIN.map((relation) => [relation]),
    ask: inDomainQuestion,
  },
  {
    name: 'mini-hotpotqa',
    sizes: { train: 2000, ...EVALUATION },
    paths: [
      ['city', 'country'],
      ['city', 'region'],
      ['country', 'capital'],
      ['capital', 'region'],
      ['capital', 'airport'],
    ],
    ask: inDomainQuestion,
  },
  {
    name: 'mini-triviaqa',
    sizes: EVALUATION,
    paths: [['currency'], ['calling code'], ['language'], ['elevation']],
    ask: frames(['Name * for the quiz.', 'In this round we ask for *.', 'The host wants to hear *.'], subject),
  },
  {
    name: 'mini-popqa',
    sizes: EVALUATION,
    paths: [['icao code'], ['elevation'], ['atomic number'], ['calling code']],
    ask: frames(['* was asked for.'], ofSubject),
  },
  {
    name: 'mini-2wikimultihopqa',
    sizes: EVALUATION,
    paths: [
      ['country', 'currency'],
      ['country', 'calling code'],
      ['airport', 'icao code'],
      ['airport', 'elevation'],
    ],
    ask: frames(['Of interest would be *.', 'Which one did they call *?'], subject),
  },
  {
    name: 'mini-musique',
    sizes: EVALUATION,
    paths: [
      ['city', 'country', 'currency'],
      ['city', 'country', 'language'],
      ['country', 'capital', 'airport'],
      ['capital', 'airport', 'icao code'],
      ['country', 'capital', 'airport', 'elevation'],
    ],
    ask: frames(['What turns out to be *?', 'One would have to work out *.'], subject),
  },
  {
    name: 'mini-bamboogle',
    sizes: EVALUATION,
    paths: [
      ['country', 'language'],
      ['country', 'currency'],
      ['country', 'calling code'],
      ['airport', 'elevation'],
    ],
    ask: frames(['Could anybody work out *?', 'I have been wondering about *.'], subject),
  },
]

const folder = fileURLToPath(new URL('../', import.meta.url))
const write = (name: string, records: readonly object[]): void =>
  writeFileSync(`${folder}${name}.jsonl`, records.map((record) => `${JSON.stringify(record)}\n`).join(''))

const facts = readFacts()
for (const split of ['train', 'validation', 'test'] as const) {
  const random = createRandom({ train: 11, validation: 12, test: 13 }[split])
  const inSplit = facts.filter((fact) => fact.split === split)
  const documents = inSplit.filter((fact) => split !== 'train' || IN_DOMAIN.includes(fact.relation))
  write(
    `documents-${split}`,
    documents.map((fact, i) => ({ id: `${split}-${i}`, title: fact.entity, text: sentence(random, fact) })),
  )
  for (const set of SETS) {
    const size = set.sizes[split]
    if (size) write(`${set.name}-${split}`, questions(random, set, split, size, inSplit))
  }
}

/** Evenly over the paths, as far as they have chains; no chain twice. */
function questions(random: Random, set: QuestionSet, split: Split, size: number, facts: readonly Fact[]): Question[] {
  const pools = set.paths.map((path) => shuffle(random, chains(path, facts)))
  const chosen: Fact[][] = []
  for (let round = 0; chosen.length < size; round++) {
    const chain = pools[round % pools.length]!.pop()
    if (chain) chosen.push(chain)
    else if (pools.every((pool) => pool.length === 0)) {
      throw new Error(`${set.name} ${split}: ${size} questions are wanted, the facts give ${chosen.length}`)
    }
  }
  return shuffle(random, chosen).map((chain, i) => ({
    id: `${set.name}-${split}-${i}`,
    dataset: set.name,
    question: set.ask(
      random,
      chain[0]!.entity,
      chain.map((fact) => fact.relation),
    ),
    goldAnswers: [chain[chain.length - 1]!.value],
    supportingFacts: chain.map(carrier),
  }))
}

function chains(path: readonly string[], facts: readonly Fact[]): Fact[][] {
  const [first, ...rest] = path
  let found = facts.filter((fact) => fact.relation === first).map((fact) => [fact])
  for (const relation of rest) {
    const next = new Map(facts.filter((fact) => fact.relation === relation).map((fact) => [fact.entity, fact]))
    found = found.flatMap((chain) => {
      const fact = next.get(chain[chain.length - 1]!.value)
      return fact && fact.value !== chain[0]!.entity ? [[...chain, fact]] : []
    })
  }
  return found
}
