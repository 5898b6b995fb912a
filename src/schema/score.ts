import type { Domain } from './question.js'

/** One method's result on one question. Metrics are in [0, 1]. */
export interface Score {
  /** The method, such as `direct`, `rag`, or the policy's name. */
  method: string
  dataset: string
  /** The question's, where it has one. */
  domain?: Domain
  questionId: string
  answer: string | null
  /** Equality with a gold answer after normalisation. */
  em: number
  /** A gold answer is contained in the answer after normalisation. */
  coverEm: number
  /** Bag-of-words F1, the best over gold answers. */
  f1: number
  searches: number
  /** 1 where an `<answer>` was given. */
  answered: number
  /** Why the rollout failed, where it did: its metrics are those of no answer. */
  failure?: string
}
