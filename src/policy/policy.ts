import type { Tokenizer } from '../tokenizer/tokenizer.js'

/** How tokens are drawn. */
export interface Sampling {
  /** 0 is greedy, else at least 0.001; log-probabilities of greedy tokens are those of temperature 1. */
  temperature: number
  /** Nucleus: smallest set of tokens whose probability reaches this, in (0, 1]; 1 keeps all. */
  topP: number
  /** The k likeliest tokens; 0 keeps all. */
  topK: number
}

/** What one call of `Conversation.generate` may produce. */
export interface GenerationLimits {
  /** Most tokens that are sampled. */
  maxTokens: number
  /** Generation ends with the token that completes one of these strings; that token is kept whole. */
  stop: string[]
}

/** Tokens as they were sampled, with their log-probabilities under the sampling distribution. */
export interface Generation {
  /** The sampled tokens. */
  ids: number[]
  /** One for each id, natural logarithm. */
  logprobs: number[]
  /** `ids` decoded, special tokens kept, end-of-text token dropped. */
  text: string
  /** `stop`: a stop string; `eos`: the model ended; `length`: `maxTokens`; `full`: the context is full. */
  stopReason: 'stop' | 'eos' | 'length' | 'full'
}

/** A growing sequence of ids whose keys and values stay cached between calls. */
export interface Conversation {
  /**
   * Appends `ids` (prompt or observation), then samples. Token in, token out: nothing is re-tokenised.
   * @param onIds Given all ids of this generation so far, as often as new ones come and it goes on.
   */
  generate(
    ids: readonly number[],
    limits: GenerationLimits,
    onIds?: (ids: readonly number[]) => void,
  ): Promise<Generation>
  /**
   * Appends `ids`, then tells how likely each id of the vocabulary is to come next, and samples nothing: for token
   * probabilities, and for decoding that allows some tokens alone. Only models in this process have it.
   * @returns natural logarithms at temperature 1, [vocabulary]
   */
  nextLogprobs?(ids: readonly number[]): Promise<Float32Array>
  /** Gives the cache slot back. Safe to call twice. */
  end(): void
}

/**
 * A model whose tokens and log-probabilities are seen, so that it can be trained. Conversations run side by side and never
 * wait for one another's searches.
 */
export interface Policy {
  /** Shown in tables and messages. */
  readonly name: string
  /** Text to ids and back. */
  readonly tokenizer: Tokenizer
  /** Most ids (prompt, observations and answers together) that a conversation can hold. */
  readonly contextLength: number
  /**
   * Begins a conversation; where too many run already, it waits for one to end.
   * @param sampling How tokens are drawn.
   * @param seed Draws depend on (seed, position) alone, not on what else runs.
   */
  start(sampling: Sampling, seed: number): Promise<Conversation>
}
