/** Whether training uses questions of this kind of set (in-domain). The paper trains on NQ and HotpotQA alone. */
export type Domain = 'in-domain' | 'out-of-domain'

/** One item of a QA set. `goldAnswers` are all strings that count as right. */
export interface Question {
  /** Unique over all sets: the set's name, then its own id or `<split>-<n>`. Groups (GRPO) are keyed by it. */
  id: string
  /** Name of the set, such as `mini-nq`. */
  dataset: string
  /** That of the set; tables and figures order and average the sets by it. */
  domain?: Domain
  /** The part of the set that it belongs to, where its file says so: `train`, `dev`, `test`. */
  split?: string
  /** The question itself. */
  question: string
  /** At least one accepted answer. */
  goldAnswers: string[]
  /** Sentences that together answer the question, first hop first. Only some sets have them. */
  supportingFacts?: string[]
}
