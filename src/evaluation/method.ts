import type { Sampling } from '../policy/policy.js'
import type { Question } from '../schema/question.js'
import type { Expense, Trajectory } from '../schema/trajectory.js'

/** Something that answers questions, many at a time. */
export interface Method {
  /** Shown in tables and figures; each in an evaluation has its own. */
  name: string
  /** What a question may take at most, as far as the method has limits. */
  budget?: Partial<Expense>
  /**
   * What decides its answers: models, engines, options, as they are. A results folder tells by it whether its scores are of
   * this very method (`describeMethod`). Default: the source of `answer`.
   */
  settings?: Readonly<Record<string, unknown>>
  /** Answers one question. A failure is a trajectory too; what it throws becomes one, without messages. */
  answer(question: Question, context: AnswerContext): Promise<Trajectory>
}

/** What an evaluation gives to a method besides the question. */
export interface AnswerContext {
  /** Makes draws repeat: of the evaluation's seed, the question's set and its id alone. */
  seed: number
  /** Aborts where the evaluation is given up. */
  signal: AbortSignal
}

/** How evaluations sample: always the likeliest token. */
export const GREEDY: Sampling = { temperature: 0, topP: 1, topK: 0 }
