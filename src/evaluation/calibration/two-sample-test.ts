import { pbinom } from 'lib-r-math.js'
import { createRandom, pick, shuffle } from '../../random/seeded-random.js'
import type { StyleDistance } from '../../schema/calibration.js'
import { fitLogistic, probabilityOf } from '../../statistics/logistic-regression.js'
import type { SparseRow } from '../../statistics/logistic-regression.js'
import { shareOf } from '../../statistics/share.js'
import { countsOf, trigramsOf, wordsOf } from './ngrams.js'

/** What both engines gave for one query. */
export interface Pair {
  first: readonly string[]
  second: readonly string[]
}

/** With fewer queries there is nothing to learn from. */
const FEWEST = 10
/** Of the squared weights; rows are of length 1. */
const PENALTY = 1e-3

/**
 * Classifier two-sample test: can documents of two engines be told apart? A logistic regression on words and character trigrams
 * learns from one half of the queries, and is asked about the other half. Documents of one query resemble each other, so a
 * query is in one half alone, and of each held-out query one document of each engine is drawn: answers that the binomial test
 * may take as independent. Both engines have as many documents in either half, so that guessing is right half of the time.
 * Source: Lopez-Paz & Oquab (2017), arXiv 1610.06545; their test is the binomial one's normal approximation.
 * @param pairs Those in which one side has no documents are left out.
 * @returns null of fewer than ten pairs
 */
export function twoSampleTest(pairs: readonly Pair[], seed: number): StyleDistance['told'] {
  const random = createRandom(seed)
  const usable = shuffle(
    random,
    pairs.filter(({ first, second }) => first.length > 0 && second.length > 0),
  )
  if (usable.length < FEWEST) return null
  const half = Math.floor(usable.length / 2)
  const learned = usable.slice(0, half).flatMap(({ first, second }) => {
    const as = (texts: readonly string[], label: 0 | 1): { text: string; label: 0 | 1 }[] =>
      shuffle(random, texts)
        .slice(0, Math.min(first.length, second.length))
        .map((text) => ({ text, label }))
    return [...as(first, 1), ...as(second, 0)]
  })
  const vocabulary = vocabularyOf(learned.map(({ text }) => text))
  const model = fitLogistic(
    learned.map(({ text }) => rowOf(text, vocabulary)),
    learned.map(({ label }) => label),
    { features: vocabulary.size, penalty: PENALTY },
  )
  const isFirst = (texts: readonly string[]): boolean =>
    probabilityOf(rowOf(pick(random, texts), vocabulary), model) > 0.5
  const asked = usable.slice(half)
  const right = asked.reduce((sum, { first, second }) => sum + Number(isFirst(first)) + Number(!isFirst(second)), 0)
  const of = 2 * asked.length
  // The upper tail from `right` on is the lower one to `of − right`.
  return { ...shareOf(right, of), pValue: pbinom(of - right, of, 0.5) }
}

const featuresOf = (text: string): Map<string, number> =>
  countsOf([...wordsOf(text).map((word) => `word ${word}`), ...trigramsOf(text)])

/** Features that occur in at least two texts. */
function vocabularyOf(texts: readonly string[]): Map<string, number> {
  const texted = countsOf(texts.flatMap((text) => [...featuresOf(text).keys()]))
  const kept = [...texted].filter(([, count]) => count > 1)
  return new Map(kept.map(([feature], place) => [feature, place]))
}

/** Logarithms of counts, of length 1. */
function rowOf(text: string, vocabulary: ReadonlyMap<string, number>): SparseRow {
  const known = [...featuresOf(text)].flatMap(([feature, count]) => {
    const place = vocabulary.get(feature)
    return place === undefined ? [] : [{ place, value: 1 + Math.log(count) }]
  })
  const length = Math.sqrt(known.reduce((sum, { value }) => sum + value ** 2, 0)) || 1
  return { places: known.map(({ place }) => place), values: known.map(({ value }) => value / length) }
}
