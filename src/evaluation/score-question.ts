import { createHash } from 'node:crypto'
import { inspect } from 'node:util'
import { wellFormed } from '../file/well-formed.js'
import { newTrajectory } from '../rollout/new-trajectory.js'
import { scoreAnswer } from '../reward/answer-metrics.js'
import type { Question } from '../schema/question.js'
import type { Score } from '../schema/score.js'
import type { Trajectory } from '../schema/trajectory.js'
import { abortable } from '../signal/abortable.js'
import type { Method } from './method.js'

/** What one question gave. */
export interface Scored {
  trajectory: Trajectory
  score: Score
  /** Of its draws. */
  seed: number
}

/** The seed of a question's draws: of its set and id, not of its place, so that other questions make no difference to it. */
const questionSeed = (seed: number, { dataset, id }: Question): number =>
  createHash('sha256')
    .update(JSON.stringify([seed, dataset, id]))
    .digest()
    .readUInt32BE(0)

/**
 * Plays and scores one question. What a method throws is a failure of this question.
 * @throws the signal's reason, once it is given
 */
export async function scoreQuestion(
  method: Method,
  question: Question,
  evaluationSeed: number,
  signal: AbortSignal,
): Promise<Scored> {
  signal.throwIfAborted()
  const seed = questionSeed(evaluationSeed, question)
  const started = performance.now()
  try {
    const trajectory = await abortable(method.answer(question, { seed, signal }), signal)
    signal.throwIfAborted()
    return { trajectory, score: scoreOf(method, question, trajectory, secondsSince(started)), seed }
  } catch (error) {
    signal.throwIfAborted()
    const message = error instanceof Error ? error.message : typeof error === 'string' ? error : inspect(error)
    const failure = { boundary: 'policy', message } as const
    const trajectory: Trajectory = { ...newTrajectory(question, seed), stopReason: 'failed', failure }
    return { trajectory, score: scoreOf(method, question, trajectory, secondsSince(started)), seed }
  }
}

/** Milliseconds are as fine as waiting makes them. */
const secondsSince = (started: number): number => Math.round(performance.now() - started) / 1000

/** Metrics of one trajectory. A failed one counts as one without an answer. */
function scoreOf(method: Method, question: Question, trajectory: Trajectory, seconds: number): Score {
  const { answer, searches, spent, failure } = trajectory
  const { goldAnswers, dataset, domain, id } = question
  const given = failure ? null : answer
  return {
    method: method.name,
    dataset,
    ...(domain && { domain }),
    questionId: id,
    answer: given && (wellFormed('answer', given) as string),
    ...scoreAnswer(given, goldAnswers),
    searches,
    ...(spent && { turns: spent.turns, tokens: spent.tokens, pages: spent.pages }),
    seconds,
    ...(spent?.cost !== undefined && { cost: spent.cost }),
    ...(method.budget && { budget: { ...method.budget } }),
    answered: given === null ? 0 : 1,
    ...(failure && { failure: `${failure.boundary}: ${failure.message}` }),
  }
}
