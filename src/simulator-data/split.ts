import { createRandom, hash, shuffle } from '../random/seeded-random.js'
import { normalizeAnswer } from '../reward/normalize-answer.js'
import type { Quality } from '../schema/document.js'
import type { SimulatorExample } from './label.js'

/** Examples to learn from, and those that are held out. */
export interface SplitExamples {
  train: SimulatorExample[]
  heldOut: SimulatorExample[]
  faults: { 'over the limit of its question': number; 'query is learned': number; balance: number }
}

export interface SplitSettings {
  heldOut: number
  maxPerQuestion: number
  balance: boolean
  seed: number
}

const QUALITIES: readonly Quality[] = ['useful', 'noisy']

const LIMIT = 1
const HELD_OUT = 2
const BALANCE = 3

/**
 * Holds out a share of the questions with all of their examples. Questions of the same words stay together, whatever their
 * ids; a held-out example whose query is learned with another question is left out. Then each part is balanced.
 */
export function splitExamples(examples: readonly SimulatorExample[], settings: SplitSettings): SplitExamples {
  const { maxPerQuestion, balance, seed } = settings
  const groups = [...byQuestion(examples).values()]
  const limited = groups.map((group, i) => {
    const kept = new Set(
      QUALITIES.flatMap((quality, j) => atMost(of(group, quality), maxPerQuestion, hash(seed, LIMIT, i, j))),
    )
    return group.filter((example) => kept.has(example))
  })
  const held = new Set(
    shuffle(createRandom(hash(seed, HELD_OUT)), limited).slice(0, Math.round(settings.heldOut * limited.length)),
  )
  const train = limited.filter((group) => !held.has(group)).flat()
  const learned = new Set(train.map(({ query }) => normalizeAnswer(query)))
  const asked = limited.filter((group) => held.has(group)).flat()
  const heldOut = asked.filter(({ query }) => !learned.has(normalizeAnswer(query)))
  const parts = [train, heldOut].map((part, i) => (balance ? balanced(part, hash(seed, BALANCE, i)) : part))
  return {
    train: parts[0]!,
    heldOut: parts[1]!,
    faults: {
      'over the limit of its question': examples.length - train.length - asked.length,
      'query is learned': asked.length - heldOut.length,
      balance: train.length + heldOut.length - parts[0]!.length - parts[1]!.length,
    },
  }
}

function byQuestion(examples: readonly SimulatorExample[]): Map<string, SimulatorExample[]> {
  const groups = new Map<string, SimulatorExample[]>()
  for (const example of examples) {
    const key = normalizeAnswer(example.question.question)
    const group = groups.get(key)
    if (group) group.push(example)
    else groups.set(key, [example])
  }
  return groups
}

/** So many drawn ones, in their order. */
function atMost(examples: SimulatorExample[], most: number, seed: number): SimulatorExample[] {
  if (examples.length <= most) return examples
  const kept = new Set(shuffle(createRandom(seed), examples).slice(0, most))
  return examples.filter((example) => kept.has(example))
}

/** As many useful as noisy ones: what there is too much of is drawn from. */
function balanced(examples: readonly SimulatorExample[], seed: number): SimulatorExample[] {
  const parts = QUALITIES.map((quality) => of(examples, quality))
  const most = Math.min(...parts.map((part) => part.length))
  const kept = new Set(parts.flatMap((part, i) => atMost(part, most, hash(seed, i))))
  return examples.filter((example) => kept.has(example))
}

const of = (examples: readonly SimulatorExample[], quality: Quality): SimulatorExample[] =>
  examples.filter((example) => example.quality === quality)
