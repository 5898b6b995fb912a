import { containsAnswer } from '../reward/contains-answer.js'
import { normalizeAnswer } from '../reward/normalize-answer.js'
import type { Quality } from '../schema/document.js'
import type { Question } from '../schema/question.js'
import type { Attempt, CollectedSearch, Verdict } from './attempt.js'
import { cleanDocuments } from './clean-documents.js'

/** A query with the documents that a simulator is to write for it. */
export interface SimulatorExample {
  /** That of its documents. */
  quality: Quality
  /** That of the search. */
  question: Question
  /** What was searched for. */
  query: string
  /** Texts of the documents, in the engine's order. */
  documents: string[]
}

/** Why a search became no example. */
export const SEARCH_FAULTS = [
  'no documents',
  'yes or no',
  'useful without the answer',
  'noisy with the answer in all',
  'duplicate',
  'over the limit of its question',
  'query is learned',
  'balance',
] as const

export type SearchFault = (typeof SEARCH_FAULTS)[number]

/** Where the answer must stand for the documents of a right trajectory to count as useful. */
export type UsefulIf = 'search' | 'trajectory'

/** What labelling makes of judged attempts. */
export interface Labelled {
  examples: SimulatorExample[]
  faults: Record<SearchFault, number>
  /** Counts of documents. */
  documents: { given: number; unreadable: number; repeated: number; shortened: number; withAnswer: number }
}

export interface LabelSettings {
  words: number
  usefulIf: UsefulIf
}

/** An attempt that a judge called right or wrong. */
export interface JudgedAttempt extends Attempt {
  verdict: Exclude<Verdict, 'unclear'>
}

export const noFaults = (): Record<SearchFault, number> =>
  Object.fromEntries(SEARCH_FAULTS.map((fault) => [fault, 0])) as Record<SearchFault, number>

/** Answers of which containment says nothing. */
const YES_OR_NO = new Set(['yes', 'no', 'noanswer'])

/**
 * Searches of right trajectories as useful examples, of wrong ones as noisy ones. Trust is good: useful documents of which none
 * holds a gold answer are no example, and of noisy ones those that hold it are taken out.
 */
export function labelSearches(attempts: readonly JudgedAttempt[], { words, usefulIf }: LabelSettings): Labelled {
  const faults = noFaults()
  const documents = { given: 0, unreadable: 0, repeated: 0, shortened: 0, withAnswer: 0 }
  const examples: SimulatorExample[] = []
  const seen = new Set<string>()

  function exampleOf(
    search: CollectedSearch,
    question: Question,
    quality: Quality,
    holds: boolean,
  ): SimulatorExample | SearchFault {
    const { goldAnswers } = question
    const clean = cleanDocuments(search.documents, { goldAnswers, words })
    documents.given += search.documents.length
    for (const count of ['unreadable', 'repeated', 'shortened'] as const) documents[count] += clean[count]
    const query = search.query.trim()
    if (clean.texts.length === 0 || query === '') return 'no documents'
    if (goldAnswers.every((gold) => YES_OR_NO.has(normalizeAnswer(gold)))) return 'yes or no'
    const without = clean.texts.filter((text) => !containsAnswer(text, goldAnswers))
    if (quality === 'useful' && without.length === clean.texts.length && !holds) return 'useful without the answer'
    if (quality === 'noisy') documents.withAnswer += clean.texts.length - without.length
    const texts = quality === 'noisy' ? without : clean.texts
    if (texts.length === 0) return 'noisy with the answer in all'
    const example = { quality, question, query, documents: texts }
    const key = JSON.stringify([quality, question.question, question.goldAnswers, normalizeAnswer(query), texts])
    if (seen.has(key)) return 'duplicate'
    seen.add(key)
    return example
  }

  for (const { trajectory, searches, verdict } of attempts) {
    const { question } = trajectory
    const quality = verdict === 'right' ? 'useful' : 'noisy'
    const text = (search: CollectedSearch): string => search.documents.map((document) => document.text).join('\n')
    const holds =
      usefulIf === 'trajectory' && searches.some((search) => containsAnswer(text(search), question.goldAnswers))
    for (const search of searches) {
      const example = exampleOf(search, question, quality, holds)
      if (typeof example === 'string') faults[example]++
      else examples.push(example)
    }
  }
  return { examples, faults, documents }
}
