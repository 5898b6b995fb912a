import { createRandom, shuffle } from '../../random/seeded-random.js'
import { countsOf, trigramsOf } from './ngrams.js'

/**
 * Jensen–Shannon divergence of two distributions, in bits: 0 where they are the same, 1 where nothing occurs in both.
 * Source: Lin (1991), doi 10.1109/18.61115.
 */
export function jensenShannon(first: ReadonlyMap<string, number>, second: ReadonlyMap<string, number>): number {
  const totals = [first, second].map((counts) => [...counts.values()].reduce((sum, count) => sum + count, 0))
  let divergence = 0
  for (const key of new Set([...first.keys(), ...second.keys()])) {
    const [p, q] = [(first.get(key) ?? 0) / totals[0]!, (second.get(key) ?? 0) / totals[1]!]
    const middle = (p + q) / 2
    for (const share of [p, q]) if (share > 0) divergence += (share / 2) * Math.log2(share / middle)
  }
  return Math.max(0, divergence)
}

const DIVISIONS = 10

/**
 * Divergence of the character trigrams of two sets of documents, and what it would be by chance: samples of one source differ too,
 * the more the smaller they are.
 * @returns `byChance` is the mean of ten random divisions of all documents into sets of the same sizes
 */
export function trigramDivergence(
  first: readonly string[],
  second: readonly string[],
  seed: number,
): { divergence: number; byChance: number } {
  const counted = [...first, ...second].map(trigramsOf)
  const between = (order: readonly string[][]): number =>
    jensenShannon(countsOf(order.slice(0, first.length).flat()), countsOf(order.slice(first.length).flat()))
  const random = createRandom(seed)
  let byChance = 0
  for (let division = 0; division < DIVISIONS; division++) byChance += between(shuffle(random, counted)) / DIVISIONS
  return { divergence: between(counted), byChance }
}
