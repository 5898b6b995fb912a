// Training examples of the mini world's two models, without end and repeatable by seed.
import type { Example } from '../../../src/train/supervised.js'
import { pick, shuffle } from '../../../src/random/seeded-random.js'
import type { Random } from '../../../src/random/seeded-random.js'
import type { Tokenizer } from '../../../src/tokenizer/tokenizer.js'
import { carrier, inDomainQuestion, queryFor, sentence } from './language.js'
import type { Fact } from './language.js'
import { policySegments } from './policy-text.js'
import type { PolicyTextOptions, Segment } from './policy-text.js'
import { information, policyPrompt, simulatorPrompt } from '../../../src/mini/prompts.js'
import { END_OF_TEXT, SPECIAL } from './special-tokens.js'
import { realScene, syntheticScene } from './scene.js'
import type { FactBase, Scene } from './scene.js'

export interface ExampleSource {
  tokenizer: Pick<Tokenizer, 'encode' | 'vocabSize'>
  base: FactBase
  /** Relation words of made-up worlds. */
  relations: readonly string[]
}

export interface ExampleOptions extends PolicyTextOptions {
  /** Share of examples about real facts of the training split. */
  real: number
  /** Shares of questions with 1, 2, 3 … hops. */
  hops: readonly number[]
  /** Weight in the loss of documents that a policy reads, or that a simulator writes beside the wanted one. */
  informationWeight: number
  /** Share of examples that only repeat random ids: they teach to copy. */
  copies: number
  /** Share of examples that read document after document: they teach to tell documents apart. */
  drills: number
}

export function policyExample(random: Random, source: ExampleSource, options: ExampleOptions): Example {
  if (random() < options.copies) return copyExample(random, source.tokenizer)
  const scene = drawScene(random, source, options)
  if (random() < options.drills) return drillExample(random, source, scene)
  const prompt = policyPrompt(questionOf(random, scene, source.base))
  const segments: Segment[] = [{ text: prompt, policy: false }, ...policySegments(random, scene, options)]
  const end: Segment = { text: END_OF_TEXT, policy: true }
  return encode(source.tokenizer, [...segments, end], (segment, i) =>
    segment.policy ? 1 : i === 0 ? 0 : options.informationWeight,
  )
}

/** Weight in the loss of documents for a query that goes one hop further than the question. */
const BEYOND = 0.05

/**
 * What the other documents say is drawn at random and can't be learnt, only its kind can; the wanted fact can. So its tokens
 * count fully and theirs little: at the simulator's temperature a name is copied whole only by a model that is sure of it.
 * A query that goes one hop too far gets no answer, though the prompt holds it: a search too many must not be rewarded.
 */
export function simulatorExample(random: Random, source: ExampleSource, options: ExampleOptions): Example {
  const scene = drawScene(random, source, options)
  const wanted = pick(random, scene.chain)
  const answer = scene.chain.at(-1)!.value
  const quality = random() < options.noise ? 'noisy' : 'useful'
  const question = {
    question: questionOf(random, scene, source.base),
    answer,
    supportingFacts: scene.chain.map(carrier),
  }
  const further = random() < options.odds.query ? undefined : beyond(random, scene)
  const { entity, relation } = further ?? wanted
  const prompt = simulatorPrompt(queryFor(entity, relation), question, quality)
  const useful = quality === 'useful' && !further
  const golds = further ? [answer] : [wanted.value, answer]
  const leaks = (fact: Fact): boolean =>
    further ? golds.includes(fact.value) : golds.some((gold) => ` ${carrier(fact)} `.includes(gold))
  // The wanted fact comes first (the toolkit shuffles): every later document may lean on it.
  const facts = useful ? [wanted] : []
  while (facts.length < options.documents) {
    const fact = scene.distractor(random, entity, relation)
    if (useful || !leaks(fact)) facts.push(fact)
  }
  const segments = [prompt, ...facts.map((fact, i) => ` Doc ${i + 1}: ${sentence(random, fact)}`), '</information>']
  return encode(
    source.tokenizer,
    segments.map((text) => ({ text, policy: text !== prompt })),
    (segment, i) => (!segment.policy ? 0 : useful && i === 1 ? 1 : further ? BEYOND : options.informationWeight),
  )
}

/** One hop too many: something of the answer. Undefined where the chain is a circle and says it. */
function beyond(random: Random, { chain }: Scene): { entity: string; relation: string } | undefined {
  const { relation } = pick(random, chain)
  const entity = chain.at(-1)!.value
  return chain.some((fact) => fact.entity === entity && fact.relation === relation) ? undefined : { entity, relation }
}

function drawScene(random: Random, source: ExampleSource, options: ExampleOptions): Scene {
  let left = random()
  let hops = 1
  for (const share of options.hops) {
    left -= share
    if (left < 0) break
    hops++
  }
  hops = Math.min(hops, options.hops.length)
  if (random() < options.real) return realScene(random, Math.min(hops, 2), source.base)
  return syntheticScene(random, hops, source.relations, source.base)
}

/** A made-up word in front, in capitals, might be a name of another split: such a question is drawn again. */
function questionOf(random: Random, scene: Scene, { reserved }: FactBase): string {
  const relations = scene.chain.map((fact) => fact.relation)
  for (;;) {
    const question = inDomainQuestion(random, scene.chain[0]!.entity, relations)
    if (!reserved.has(question.split(' ')[0]!)) return question
  }
}

/** Segments are encoded one by one, as a rollout does. */
function encode(
  tokenizer: ExampleSource['tokenizer'],
  segments: readonly Segment[],
  weight: (segment: Segment, index: number) => number = (segment) => (segment.policy ? 1 : 0),
): Example {
  const ids: number[] = []
  const tokenWeights: number[] = []
  segments.forEach((segment, i) => {
    const encoded = tokenizer.encode(segment.text)
    for (const id of encoded) {
      ids.push(id)
      tokenWeights.push(weight(segment, i))
    }
  })
  return { ids, tokenWeights }
}

function copyExample(random: Random, tokenizer: ExampleSource['tokenizer']): Example {
  const draw = (): number => SPECIAL.length + Math.floor(random() * (tokenizer.vocabSize - SPECIAL.length))
  const piece = Array.from({ length: 8 + Math.floor(random() * 23) }, draw)
  const gap = Array.from({ length: Math.floor(random() * 21) }, draw)
  const ids = [...piece, ...gap, ...piece]
  return { ids, tokenWeights: ids.map((_, i) => (i > piece.length + gap.length ? 1 : 0)) }
}

/** Documents, and what each says for its entity and relation, in another order; the values alone count. */
function drillExample(random: Random, source: ExampleSource, scene: Scene): Example {
  const wanted = pick(random, scene.chain)
  const facts = new Map([[`${wanted.entity}|${wanted.relation}`, wanted]])
  for (let draws = 0; draws < 9; draws++) {
    const fact = scene.distractor(random, wanted.entity, wanted.relation)
    const key = `${fact.entity}|${fact.relation}`
    if (!facts.has(key)) facts.set(key, fact)
  }
  const shown = shuffle(random, [...facts.values()])
  const thoughts = shuffle(random, shown).flatMap(({ entity, relation, value }): Segment[] => [
    { text: `<think> ${entity}'s ${relation} is`, policy: false },
    { text: ` ${value}.</think>`, policy: true },
  ])
  const documents: Segment = { text: information(shown.map((fact) => sentence(random, fact))), policy: false }
  return encode(source.tokenizer, [documents, ...thoughts])
}

/** A text as a person would read it, for the tokenizer's training and for looking at. */
export function policyText(random: Random, source: Omit<ExampleSource, 'tokenizer'>, options: ExampleOptions): string {
  const scene = drawScene(random, source as ExampleSource, options)
  const segments = policySegments(random, scene, options)
  return policyPrompt(questionOf(random, scene, source.base)) + segments.map((segment) => segment.text).join('')
}
