// How facts are said and asked in the mini world. A fact is "entity's relation is value".
import { pick } from '../../../src/random/seeded-random.js'
import type { Random } from '../../../src/random/seeded-random.js'

export interface Fact {
  entity: string
  relation: string
  value: string
}

/** The phrase that carries a fact: documents say it in several ways, thoughts repeat it in this one. */
export const carrier = ({ entity, relation, value }: Fact): string => `${entity}'s ${relation} is ${value}.`

/** What a policy asks for one fact. */
export const queryFor = (entity: string, relation: string): string => `${entity}'s ${relation}`

const SENTENCES: [share: number, say: (fact: Fact) => string][] = [
  [0.5, carrier],
  [0.7, ({ entity, relation, value }) => `The ${relation} of ${entity} is ${value}.`],
  [0.85, ({ entity, relation, value }) => `${entity} has the ${relation} ${value}.`],
  [1, ({ entity, relation, value }) => `For ${entity} the ${relation} is ${value}.`],
]

/** A sentence that says a fact. */
export function sentence(random: Random, fact: Fact): string {
  const draw = random()
  return SENTENCES.find(([share]) => draw < share)![1](fact)
}

/** "Peru's capital", "the capital of Iquitos's country", … */
export function subject(entity: string, relations: readonly string[]): string {
  const [first, ...rest] = relations
  return rest.reduce((phrase, relation) => `the ${relation} of ${phrase}`, `${entity}'s ${first}`)
}

/** "the capital of Peru", "the capital of the country of Iquitos", … */
export const ofSubject = (entity: string, relations: readonly string[]): string =>
  relations.reduce((phrase, relation) => `the ${relation} of ${phrase}`, entity)

const ASK = [
  (s: string) => `What is ${s}?`,
  (s: string) => `Tell me ${s}.`,
  (s: string) => `Which is ${s}?`,
  (s: string) => `What is known as ${s}?`,
  (s: string) => `Do you know ${s}?`,
  (s: string) => `${capital(s)} is what?`,
  (s: string) => `Please say ${s}.`,
  (s: string) => `Answer with ${s}.`,
  (s: string) => `Look up ${s}.`,
]

/** Words for made-up frames, so that a policy reads the subject and not what stands around it. */
const WORDS = (
  'please can someone tell us say we would like get me give now just show report state describe about what where how who ' +
  'they looking for my friend asks today really then explain write need help with quiz name find out question answer is it ' +
  'so also maybe if that this which when why because could should must will may let know learn hear see check search list ' +
  'spell read recall guess try one of all any some here there again first last next soon later all right people teacher'
).split(' ')

/** Pieces of words that mean nothing. */
const PIECES = 'an ar be co de do el en er fa ga ho in ing ka le lo ma ne or pa re ri sa so ta ti un ve wo'.split(' ')

const frameWord = (random: Random): string =>
  random() < 0.75
    ? pick(random, WORDS)
    : Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(random, PIECES)).join('')

const frameWords = (random: Random, longest: number): string =>
  Array.from({ length: 1 + Math.floor(random() * longest) }, () => frameWord(random)).join(' ')

/** A question as training and the in-domain sets ask it. */
export function inDomainQuestion(random: Random, entity: string, relations: readonly string[]): string {
  const s = (random() < 0.7 ? subject : ofSubject)(entity, relations)
  if (random() < 0.5) return pick(random, ASK)(s)
  const suffix = random() < 0.2 ? ` ${frameWords(random, 3)}` : ''
  return `${capital(frameWords(random, 6))} ${s}${suffix}${pick(random, ['.', '?', '', '!'])}`
}

export const capital = (text: string): string => text[0]!.toUpperCase() + text.slice(1)
