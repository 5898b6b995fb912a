// Self-RAG's reflection tokens (arXiv 2310.11511, table 1) and what is made of their probabilities (section 3.3).

export const RETRIEVE = '[Retrieval]'
export const NO_RETRIEVAL = '[No Retrieval]'
export const CONTINUE = '[Continue to Use Evidence]'
export const RELEVANT = ['[Relevant]', '[Irrelevant]'] as const
export const SUPPORTED = ['[Fully supported]', '[Partially supported]', '[No support / Contradictory]'] as const
export const UTILITY = ['[Utility:1]', '[Utility:2]', '[Utility:3]', '[Utility:4]', '[Utility:5]'] as const
export const PARAGRAPH = ['<paragraph>', '</paragraph>'] as const

/** Tokens that a checkpoint must have. */
export const REFLECTION_TOKENS: readonly string[] = [
  RETRIEVE,
  NO_RETRIEVAL,
  CONTINUE,
  ...RELEVANT,
  ...SUPPORTED,
  ...UTILITY,
  ...PARAGRAPH,
]

/** How much each judgement counts. */
export interface ReflectionWeights {
  /** Whether the passage is relevant. Default 1. */
  relevance: number
  /** Whether the passage supports what is said. Default 1. */
  support: number
  /** Whether it is a useful reply. Default 0.5. */
  utility: number
}

/** Judgements of one continuation. */
export interface Judgements {
  /** Probability of the text: e to the mean of its log-probabilities; 0 where it is not to count. */
  sequence: number
  relevance: number
  support: number
  utility: number
}

const share = (weights: readonly number[], probabilities: readonly number[]): number => {
  const total = probabilities.reduce((sum, p) => sum + p, 0)
  return total === 0 ? 0 : probabilities.reduce((sum, p, i) => sum + p * weights[i]!, 0) / total
}

/** How much retrieving is wanted, in [0, 1]: p(R) / (p(R) + p(NR)). */
export const retrievalShare = (retrieve: number, noRetrieval: number): number => share([1, 0], [retrieve, noRetrieval])

/** In [0, 1], from the probabilities of relevant and irrelevant. */
export const relevanceOf = (probabilities: readonly number[]): number => share([1, 0], probabilities)

/** In [0, 1], from those of full, partial and no support. */
export const supportOf = (probabilities: readonly number[]): number => share([1, 0.5, 0], probabilities)

/** In [−1, 1], from those of utility 1 to 5. */
export const utilityOf = (probabilities: readonly number[]): number => share([-1, -0.5, 0, 0.5, 1], probabilities)

/** f = p + w_rel·rel + w_sup·sup + w_use·use. */
export const reflectionScore = (
  { sequence, relevance, support, utility }: Judgements,
  weights: ReflectionWeights,
): number => sequence + weights.relevance * relevance + weights.support * support + weights.utility * utility
