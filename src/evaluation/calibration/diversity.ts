import { normalizeAnswer } from '../../reward/normalize-answer.js'
import { createRandom, shuffle } from '../../random/seeded-random.js'
import { pairsOf, wordsOf } from './ngrams.js'

/** A longer text repeats more words, so all are measured on as many. */
const WORDS = 500
const DRAWS = 20

/**
 * Share of different words, and of different pairs of words, among 500 words of documents that are drawn at random: the mean of
 * twenty draws. Null of fewer words.
 * Source: distinct-1 and distinct-2 of Li et al. (2016, arXiv 1510.03055), on a fixed number of words.
 */
export function distinctShares(
  documents: readonly string[],
  seed: number,
): { distinct1: number; distinct2: number } | null {
  const split = documents.map(wordsOf)
  if (split.reduce((sum, words) => sum + words.length, 0) < WORDS) return null
  const random = createRandom(seed)
  let [ones, twos] = [0, 0]
  for (let draw = 0; draw < DRAWS; draw++) {
    const words: string[] = []
    const pairs: string[] = []
    for (const document of shuffle(random, split)) {
      const taken = document.slice(0, WORDS - words.length)
      words.push(...taken)
      pairs.push(...pairsOf(taken))
      if (words.length === WORDS) break
    }
    ones += new Set(words).size / words.length
    twos += pairs.length === 0 ? 0 : new Set(pairs).size / pairs.length
  }
  return { distinct1: ones / DRAWS, distinct2: twos / DRAWS }
}

/** Documents that say, but for case and signs, what one before them says. */
export function countRepeated(documents: readonly string[]): number {
  return documents.length - new Set(documents.map((text) => normalizeAnswer(text) || text)).size
}

/**
 * How much the documents of a list share: Jaccard index of the sets of their pairs of words, mean over all pairs of documents.
 * Null of fewer than two documents that have two words.
 * Source: resemblance of shingles, Broder (1997), doi 10.1109/SEQUEN.1997.666900.
 */
export function resemblanceOf(documents: readonly string[]): number | null {
  const sets = documents.map((text) => new Set(pairsOf(wordsOf(text)))).filter((set) => set.size > 0)
  let [sum, pairs] = [0, 0]
  sets.forEach((a, i) => {
    for (const b of sets.slice(0, i)) {
      const shared = [...a].filter((pair) => b.has(pair)).length
      sum += shared / (a.size + b.size - shared)
      pairs++
    }
  })
  return pairs === 0 ? null : sum / pairs
}
