import { summarizeFailures } from '../schema/failure-summary.js'
import type { FailureCause } from '../schema/failure-summary.js'
import type { Quality } from '../schema/document.js'
import type { Spent } from './attempt.js'
import { hasAnswer } from './collect.js'
import type { Collected } from './collected.js'
import { judgeOf } from './judge.js'
import { labelSearches } from './label.js'
import type { JudgedAttempt, SearchFault, SimulatorExample } from './label.js'
import type { CheckedSimulatorData } from './options.js'
import { splitExamples } from './split.js'

/** What became of everything that was collected: attempts, searches and documents add up. */
export interface SimulatorDataCounts {
  questions: number
  attempts: {
    /** Of all questions. */
    all: number
    /** Left out: a model, an engine, or the method failed. */
    failed: number
    /** Left out: they ended without an answer. */
    unanswered: number
    /** Left out: the judge failed, or could not tell. */
    unclear: number
    right: number
    wrong: number
  }
  /** Commonest causes of what failed. */
  causes: FailureCause[]
  searches: {
    all: number
    /** Of attempts that were left out. */
    unjudged: number
    /** Why searches of the others became no example. */
    faults: Record<SearchFault, number>
  }
  /** Of the searches of right and wrong attempts. */
  documents: {
    given: number
    unreadable: number
    repeated: number
    shortened: number
    /** Taken out of noisy lists, for a gold answer stands in them. */
    withAnswer: number
  }
  examples: Record<'train' | 'heldOut', PartCounts>
  /** Documents of held-out examples that stand in an example to learn from too, word for word. */
  heldOutDocumentsLearned: number
  /** What was asked of language models, failed attempts included. */
  spent: { players: Spent; judges: Spent }
}

/** One part of the split. */
export interface PartCounts extends Record<Quality, number> {
  questions: number
  documents: number
  /** Texts that differ. */
  distinctDocuments: number
  words: number
}

/** The examples of what was collected, and the counts. The order in which attempts ended changes nothing. */
export function makeExamples(
  options: CheckedSimulatorData,
  collected: Collected,
): { train: SimulatorExample[]; heldOut: SimulatorExample[]; counts: SimulatorDataCounts } {
  const { questions, rollouts } = options
  const judge = judgeOf(options.judge)
  const all = questions.flatMap(({ id }) =>
    Array.from({ length: rollouts }, (_, rollout) => collected.attempt(id, rollout) ?? []).flat(),
  )
  const played = all.filter(({ trajectory }) => !trajectory.failure)
  const answered = played.filter(({ trajectory }) => hasAnswer(trajectory))
  const judged = answered.flatMap((attempt): JudgedAttempt[] => {
    const verdict = collected.judged(attempt.trajectory.question.id, attempt.rollout, judge.name)?.verdict
    return verdict === undefined || verdict === 'unclear' ? [] : [{ ...attempt, verdict }]
  })
  const labelled = labelSearches(judged, options)
  const { train, heldOut, faults } = splitExamples(labelled.examples, options)
  const searchesOf = (attempts: readonly { searches: readonly unknown[] }[]): number =>
    attempts.reduce((sum, { searches }) => sum + searches.length, 0)
  const right = judged.filter(({ verdict }) => verdict === 'right').length
  const failures = [
    ...all.map(({ trajectory }) => trajectory),
    ...collected.judgeFaults.map((message) => ({ failure: `judge: ${message}` })),
  ]
  const learned = new Set(train.flatMap(({ documents }) => documents))
  return {
    train,
    heldOut,
    counts: {
      questions: questions.length,
      attempts: {
        all: all.length,
        failed: all.length - played.length,
        unanswered: played.length - answered.length,
        unclear: answered.length - judged.length,
        right,
        wrong: judged.length - right,
      },
      causes: summarizeFailures(failures).causes,
      searches: {
        all: searchesOf(all),
        unjudged: searchesOf(all) - searchesOf(judged),
        faults: { ...labelled.faults, ...faults },
      },
      documents: labelled.documents,
      examples: { train: countPart(train), heldOut: countPart(heldOut) },
      heldOutDocumentsLearned: heldOut.flatMap(({ documents }) => documents).filter((text) => learned.has(text)).length,
      spent: { players: collected.played, judges: collected.judging },
    },
  }
}

function countPart(examples: readonly SimulatorExample[]): PartCounts {
  const texts = examples.flatMap(({ documents }) => documents)
  const useful = examples.filter(({ quality }) => quality === 'useful').length
  return {
    useful,
    noisy: examples.length - useful,
    questions: new Set(examples.map(({ question }) => question.id)).size,
    documents: texts.length,
    distinctDocuments: new Set(texts).size,
    words: texts.reduce((sum, text) => sum + text.split(' ').length, 0),
  }
}
