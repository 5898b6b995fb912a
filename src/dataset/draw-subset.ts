import { createHash } from 'node:crypto'
import { z } from 'zod'
import { createRandom, shuffle } from '../random/seeded-random.js'
import { parseOptions } from '../schema/parse-options.js'
import type { Question } from '../schema/question.js'
import { unique } from './fields.js'

/** Options of `drawSubset`: either `perSet` or `size`. */
export interface SubsetOptions {
  /** Questions of each set, as the paper takes 500; a smaller set gives all that it has. */
  perSet?: number
  /** Questions of all sets together, each set in proportion to its size. */
  size?: number
  /** Another seed draws others; default 0. */
  seed?: number
}

/** Questions that were drawn, and what a paper has to say of how. */
export interface Subset {
  /** In the order in which they were given. */
  questions: Question[]
  /** The seed. */
  seed: number
  /** How many of how many, for each set. */
  sets: {
    /** Name of the set. */
    dataset: string
    /** Questions that were drawn. */
    questions: number
    /** Questions that the set has. */
    of: number
  }[]
  /** SHA-256 of the ids, in their order: two evaluations with the same one asked the same questions. */
  checksum: string
}

const count = z.int().min(1)
const optionsSchema = z.strictObject({
  perSet: count.exactOptional(),
  size: count.exactOptional(),
  seed: z.int().default(0),
})

/**
 * Draws questions, stratified by set. Whether a question is drawn depends on seed, set and id alone, not on the order of the
 * list: a smaller subset is part of a larger one with the same seed.
 * @throws where neither or both of `perSet` and `size` are given, or there are fewer questions than `size`
 * @example
 * const { questions: some, checksum } = zs.drawSubset(questions, { perSet: 500 })
 */
export function drawSubset(questions: readonly Question[], options: SubsetOptions): Subset {
  const { perSet, size, seed } = parseOptions('draw subset', optionsSchema, options)
  if ((perSet === undefined) === (size === undefined)) throw new Error('draw subset: give either perSet or size')
  if (size !== undefined && size > questions.length) {
    throw new Error(`draw subset: size must be at most the number of questions, ${questions.length}, got ${size}`)
  }
  const strata = unique(questions.map(({ dataset }) => dataset)).map((dataset) =>
    questions.filter((question) => question.dataset === dataset),
  )
  const shares =
    size === undefined
      ? strata.map(({ length }) => Math.min(perSet!, length))
      : proportional(
          strata.map(({ length }) => length),
          size,
        )
  const drawn = new Set(strata.flatMap((stratum, i) => lowest(stratum, shares[i]!, seed)))
  const chosen = questions.filter((question) => drawn.has(question))
  return {
    questions: chosen,
    seed,
    sets: strata.map((stratum, i) => ({ dataset: stratum[0]!.dataset, questions: shares[i]!, of: stratum.length })),
    checksum: createHash('sha256')
      .update(chosen.map(({ id }) => id).join('\n'))
      .digest('hex'),
  }
}

/** Those whose hash of seed and id is lowest: a draw without replacement. */
function lowest(questions: readonly Question[], n: number, seed: number): Question[] {
  return questions
    .map((question) => ({ question, hash: createHash('sha256').update(`${seed}\n${question.id}`).digest('hex') }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1))
    .slice(0, n)
    .map(({ question }) => question)
}

/** Whole shares of `size` in proportion; what rounding leaves goes to the largest remainders. */
function proportional(sizes: readonly number[], size: number): number[] {
  const total = sizes.reduce((sum, n) => sum + n, 0)
  const exact = sizes.map((n) => (n * size) / total)
  const shares = exact.map(Math.floor)
  const left = size - shares.reduce((sum, n) => sum + n, 0)
  const order = exact.map((share, i) => ({ i, rest: share - shares[i]! })).sort((a, b) => b.rest - a.rest)
  for (const { i } of order.slice(0, left)) shares[i]!++
  return shares
}

/**
 * Several sets as one, shuffled: the paper trains on NQ and HotpotQA together.
 * @param seed Default 0.
 * @throws where two questions have the same id: groups of rollouts are keyed by it
 * @example
 * const nq = await zs.readQuestions('nq/train.jsonl')
 * const hotpotqa = await zs.readQuestions('hotpotqa/train.jsonl')
 * const mix = zs.mixQuestions([nq, hotpotqa])
 */
export function mixQuestions(sets: readonly (readonly Question[])[], seed = 0): Question[] {
  parseOptions('mix questions', z.strictObject({ seed: z.int() }), { seed })
  const all = sets.flat()
  const seen = new Set<string>()
  for (const { id } of all) {
    if (seen.has(id)) throw new Error(`mix questions: ids must be unique over all sets, got ${id} twice`)
    seen.add(id)
  }
  return shuffle(createRandom(seed), all)
}
