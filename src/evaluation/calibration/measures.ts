import { containsAnswer } from '../../reward/contains-answer.js'
import type { CalibratedSearch, DocumentMeasures } from '../../schema/calibration.js'
import type { Document } from '../../schema/document.js'
import { shareOf } from '../../statistics/share.js'
import { countRepeated, distinctShares, resemblanceOf } from './diversity.js'
import { wordsOf } from './ngrams.js'

/** Whether a gold answer stands in a document or its title. */
export const holdsAnswer = ({ title, text }: Document, goldAnswers: readonly string[]): boolean =>
  containsAnswer(title === undefined ? text : `${title}\n${text}`, goldAnswers)

/** Measures of the searches of one kind. */
export function measureSearches(searches: readonly CalibratedSearch[], topK: number, seed: number): DocumentMeasures {
  const answered = searches.filter(({ failure }) => failure === undefined)
  const documents = answered.flatMap(({ documents, goldAnswers }) =>
    documents.map((document) => ({ document, holds: holdsAnswer(document, goldAnswers) })),
  )
  const texts = documents.map(({ document }) => document.text)
  const lengths = texts.map((text) => wordsOf(text).length)
  const holding = (goldOf: (search: CalibratedSearch, place: number) => readonly string[]): number =>
    answered.filter((search, i) => search.documents.some((document) => holdsAnswer(document, goldOf(search, i)))).length
  const { distinct1 = null, distinct2 = null } = distinctShares(texts, seed) ?? {}
  const seconds = answered.map((search) => search.seconds).sort((a, b) => a - b)
  const tokens = answered.flatMap((search) => search.tokens ?? [])
  const costs = answered.flatMap(({ cost }) => cost ?? [])
  return {
    searches: searches.length,
    failed: searches.length - answered.length,
    holdsAnswer: shareOf(
      holding(({ goldAnswers }) => goldAnswers),
      answered.length,
    ),
    documentHoldsAnswer: shareOf(documents.filter(({ holds }) => holds).length, documents.length),
    holdsAnswerByChance: shareOf(
      holding((_, i) => answered[(i + 1) % answered.length]!.goldAnswers),
      answered.length,
    ),
    parsed: shareOf(documents.length, topK * answered.length),
    complete: shareOf(answered.filter(({ documents }) => documents.length === topK).length, answered.length),
    words: { mean: mean(lengths), deviation: deviation(lengths) },
    distinct1,
    distinct2,
    repeated: shareOf(countRepeated(texts), texts.length),
    resemblance: mean(answered.flatMap((search) => resemblanceOf(search.documents.map(({ text }) => text)) ?? [])),
    seconds: { median: quantile(seconds, 0.5), p95: quantile(seconds, 0.95) },
    ...(tokens.length > 0 && {
      tokens: {
        prompt: mean(tokens.map(({ prompt }) => prompt))!,
        completion: mean(tokens.map(({ completion }) => completion))!,
      },
    }),
    ...(costs.length > 0 && { cost: mean(costs)! }),
  }
}

const mean = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length

function deviation(values: readonly number[]): number | null {
  if (values.length < 2) return null
  const middle = mean(values)!
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1))
}

/** The value that this share does not exceed (nearest rank). */
const quantile = (sorted: readonly number[], share: number): number | null =>
  sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null
