/** One item of a QA set. `goldAnswers` are all strings that count as right. */
export interface Question {
  /** Unique over all sets: `<dataset>-<split>-<n>`. Groups (GRPO) are keyed by it. */
  id: string
  /** Name of the set, such as `mini-nq`. */
  dataset: string
  question: string
  /** At least one accepted answer. */
  goldAnswers: string[]
  /** Sentences that together answer the question, first hop first. Only some sets have them. */
  supportingFacts?: string[]
}
