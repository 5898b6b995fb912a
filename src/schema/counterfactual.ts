import type { Trajectory } from './trajectory.js'

/**
 * What became of an answer with other documents. `kept`: the same after normalisation. `changed`: another answer. `lost`: none any more.
 * `gained`: there was none before. `none`: neither before nor after. `failed`: a rollout failed.
 */
export type Fate = 'kept' | 'changed' | 'lost' | 'gained' | 'none' | 'failed'

/** One trajectory replayed with other documents, beside the replay with its own; see `replayTrajectories`. */
export interface Counterfactual {
  /** `id` of the question. */
  questionId: string
  /** Name of its set. */
  dataset: string
  /** The question itself. */
  question: string
  /** Its accepted answers. */
  goldAnswers: string[]
  /** Name of the documents that were put in: `noisy`. */
  documents: string
  /** The message, from 0, that other documents answer. */
  turn: number
  /** What was searched for. */
  query: string
  /** The answer with the documents that it had, played on with the same sampling. */
  before: string | null
  /** The answer with the other documents. */
  after: string | null
  /** What became of it. */
  fate: Fate
  /** Exact match of `before`. */
  emBefore: number
  /** Exact match of `after`. */
  emAfter: number
  /** The trajectory with the other documents. */
  trajectory: Trajectory
}
