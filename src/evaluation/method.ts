import type { Policy, Sampling } from '../policy/policy.js'
import { rollOut } from '../rollout/roll-out.js'
import { parseRolloutOptions } from '../rollout/rollout-options.js'
import type { RolloutOptions } from '../rollout/rollout-options.js'
import type { Question } from '../schema/question.js'
import type { Trajectory } from '../schema/trajectory.js'

/** Something that answers questions, many at a time. */
export interface Method {
  /** Shown in tables and figures; each in an evaluation has its own. */
  name: string
  /** Answers one question. A failure is a trajectory too; a rejection ends the whole evaluation. */
  answer(question: Question, context: AnswerContext): Promise<Trajectory>
}

/** What an evaluation gives to a method besides the question. */
export interface AnswerContext {
  /** Makes draws repeat: the question's place in the evaluation. */
  seed: number
  /** Aborts where the evaluation is given up. */
  signal: AbortSignal
}

/** How evaluations sample: always the likeliest token. */
export const GREEDY: Sampling = { temperature: 0, topP: 1, topK: 0 }

/**
 * A policy that may search. Sampling defaults to greedy, all else as in `rollOut`.
 * @throws where an option is not what it must be
 * @example
 * const method = zs.policyMethod('trained', policy, { searchEngine: engine })
 * const scores = await zs.evaluate({ methods: [method], questions })
 */
export function policyMethod(name: string, policy: Policy, options: Omit<RolloutOptions, 'seed' | 'signal'>): Method {
  // Now, not at the first question.
  parseRolloutOptions(options)
  return {
    name,
    answer: (question, context) =>
      rollOut(policy, question, { ...options, sampling: options.sampling ?? GREEDY, ...context }),
  }
}
