import type { Domain } from './question.js'
import type { Expense } from './trajectory.js'

/** One method's result on one question. Metrics are in [0, 1]. */
export interface Score {
  /** The method, such as `direct`, `rag`, or the policy's name. */
  method: string
  /** Name of the question's set. */
  dataset: string
  /** The question's, where it has one. */
  domain?: Domain
  /** `id` of the question. */
  questionId: string
  /** What was answered; null where nothing was. */
  answer: string | null
  /** Exact match: 1 where the answer equals a gold answer after normalisation, else 0. */
  em: number
  /** 1 where the answer contains a gold answer after normalisation, else 0. */
  coverEm: number
  /** Bag-of-words F1, the best over gold answers. */
  f1: number
  /** What the paper's code calls exact match (`paperScore`), where it was computed. */
  paperEm?: number
  /** Number of searches made. */
  searches: number
  /** Texts that language models wrote, where the method counted them. */
  turns?: number
  /** Tokens of these texts. */
  tokens?: number
  /** Pages that were read whole. */
  pages?: number
  /** From the question to its end, on the clock: what waited beside it counts too. */
  seconds?: number
  /** What its completions cost, where a model knows its price; what a search costs is not in it. */
  cost?: number
  /** What the method might have taken at most, as far as it has limits. */
  budget?: Partial<Expense>
  /** 1 where an `<answer>` was given, else 0. */
  answered: number
  /** Why the rollout failed, where it did: its metrics are those of no answer. */
  failure?: string
}
