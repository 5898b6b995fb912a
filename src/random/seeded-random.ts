/** One round of the 32-bit finaliser of MurmurHash3. */
function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

/** Hash of a seed and integers, as an unsigned 32-bit integer. Neighbouring inputs give unrelated hashes. */
export function hash(seed: number, ...indices: number[]): number {
  let state = mix(seed ^ 0x9e3779b9)
  for (const index of indices) state = mix(Math.imul(state, 31) + mix(index + 0x7f4a7c15) + 0x165667b1)
  return state >>> 0
}

/** A number in [0, 1) that depends on the seed and the integers alone: randomness without state or order. */
export function uniform(seed: number, ...indices: number[]): number {
  return hash(seed, ...indices) / 2 ** 32
}

/** A stream of numbers in [0, 1). */
export type Random = () => number

/** A stream that repeats for a seed. */
export function createRandom(seed: number): Random {
  let count = 0
  return () => uniform(seed, count++)
}

/** One item of a list that is not empty. */
export function pick<T>(random: Random, items: readonly T[]): T {
  if (items.length === 0) throw new Error('pick: the list must not be empty')
  return items[Math.floor(random() * items.length)]!
}

/** A shuffled copy (Fisher-Yates). */
export function shuffle<T>(random: Random, items: readonly T[]): T[] {
  const copy = [...items]
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[copy[i], copy[j]] = [copy[j]!, copy[i]!]
  }
  return copy
}
