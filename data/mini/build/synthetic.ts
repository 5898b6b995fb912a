// Made-up worlds for training: random names and many relation words teach to read documents rather than to remember.
import { createRandom, pick } from '../../../src/random/seeded-random.js'
import type { Random } from '../../../src/random/seeded-random.js'
import type { Fact } from './language.js'

const SYLLABLES = (
  'ka ro mi ta len vor sha bel dun gar fi lo pe nor zu wi than dra gol mer cha qui tos ven bra sel hu jo ri ast ek om il ur ' +
  'ba do ne ga su ti ya po an es in el ar os un er al or it at ham ton burg ville field port land stan mar san'
).split(' ')

const NOUNS = (
  'river founder color mayor lake animal flower leader motto anthem bird owner temple museum bridge school market port tower ' +
  'garden festival dish drink sport team hero king poet song dance tree fruit stone mountain valley island coast forest ' +
  'desert harbor castle church road station author painter singer doctor teacher captain minister partner rival parent child ' +
  'twin friend enemy guide guard smell taste shape size weight price rank class order family tribe builder maker seller ' +
  'winner prize paper metal cloth season month day hour title name sign flag crown coin ship train plane horse weapon tool'
).split(' ')
const MODIFIERS =
  'main old birth home web first sacred royal lowest trade summer tax national local former second'.split(' ')
const HEADS = 'place code month date river leader group tongue border title station office symbol number'.split(' ')

/**
 * Relation words of made-up worlds: nouns, pairs of them, and words that mean nothing, so that a policy takes a relation
 * from the question whatever it is. `exclude` keeps those of the out-of-domain sets out.
 */
export function relationWords(exclude: ReadonlySet<string>): string[] {
  const random = createRandom(21)
  const compound = MODIFIERS.flatMap((modifier) => HEADS.map((head) => `${modifier} ${head}`))
  const pairs = Array.from({ length: 400 }, () => `${pick(random, NOUNS)} ${pick(random, [...NOUNS, ...HEADS])}`)
  const madeUp = Array.from({ length: 400 }, () => {
    const word = Array.from({ length: 2 + Math.floor(random() * 2) }, () => pick(random, SYLLABLES)).join('')
    return random() < 0.5 ? word : random() < 0.5 ? `${word} ${pick(random, HEADS)}` : `${pick(random, NOUNS)} ${word}`
  })
  const words = [...NOUNS, ...NOUNS, ...compound, ...pairs, ...madeUp]
  return words.filter((relation) => ![...exclude].some((other) => relation.includes(other)))
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'

/**
 * A made-up name: mostly a word or two, at times a number, a code, or a code with a noun in front.
 * @param reserved Names that chance must not make up: those of the splits that training does not see.
 */
export function syntheticName(random: Random, reserved?: ReadonlySet<string>): string {
  for (;;) {
    const name = drawName(random)
    if (!reserved || !isReserved(name, reserved)) return name
  }
}

/** Whether a name, or a word of it, is taken. */
const isReserved = (name: string, reserved: ReadonlySet<string>): boolean =>
  [name, ...name.split(' ')].some((part) => reserved.has(part))

function drawName(random: Random): string {
  const word = (maxSyllables: number): string => {
    const count = 2 + Math.floor(random() * (maxSyllables - 1))
    const text = Array.from({ length: count }, () => pick(random, SYLLABLES)).join('')
    return text[0]!.toUpperCase() + text.slice(1)
  }
  const code = (length: number): string => Array.from({ length }, () => pick(random, LETTERS.split(''))).join('')
  const kind = random()
  if (kind < 0.06) return String(1 + Math.floor(random() * 2100))
  if (kind < 0.11) return `${pick(random, ['airport', 'station', 'airline', 'star', 'port', 'element'])} ${code(3)}`
  if (kind < 0.14) return code(2 + Math.floor(random() * 2))
  if (kind < 0.28) return `${word(2)} ${word(2)}`
  return word(3)
}

/** A world that exists for one question: a chain of facts, and names and relations for everything around it. */
export interface World {
  chain: Fact[]
  /** Names and relations that distractors use. */
  names: string[]
  relations: string[]
}

/**
 * @param names Real names to mix in, of the training split.
 * @param reserved Names that must not occur.
 */
export function syntheticWorld(
  random: Random,
  hops: number,
  relations: readonly string[],
  names: readonly string[],
  reserved: ReadonlySet<string>,
): World {
  const name = (): string =>
    names.length > 0 && random() < 0.4 ? pick(random, names) : syntheticName(random, reserved)
  const chain: Fact[] = []
  let entity = name()
  const used = new Set([entity])
  for (let hop = 0; hop < hops; hop++) {
    let value = name()
    while (used.has(value)) value = name()
    used.add(value)
    chain.push({ entity, relation: pick(random, relations), value })
    entity = value
  }
  // Names that share a word with those of the chain: a policy must read all of a name.
  const cousin = (): string => {
    const words = pick(random, [...used]).split(' ')
    const first = name().split(' ')[0]!
    const made = random() < 0.6 ? `${first} ${words[words.length - 1]}` : `${words[0]} ${first}`
    return isReserved(made, reserved) ? name() : made
  }
  const others = Array.from({ length: 12 }, (_, i) => (i < 3 ? cousin() : name())).filter((other) => !used.has(other))
  return { chain, names: others, relations: Array.from({ length: 6 }, () => pick(random, relations)) }
}
