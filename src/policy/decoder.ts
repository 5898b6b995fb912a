import type { ModelConfig } from '../model/config.js'
import type { Weights } from '../model/weights.js'
import type { Variable } from '../tensor/variable.js'
import type { Truncation } from './sampling.js'
import type { Sampling } from './policy.js'

/** Keys and values of all slots, one pair of variables per layer, each [slots, kvHeads, width, headDim]. */
export interface Cache {
  slots: number
  width: number
  keys: Variable[]
  values: Variable[]
}

/** What the model's functions read and change. */
export interface DecoderState {
  weights: Weights
  keys: Variable[]
  values: Variable[]
}

/** Ids of a slot that are not in the cache yet. Slots of one call differ. */
export interface Unread {
  slot: number
  /** Place of the first one. */
  position: number
  ids: readonly number[]
}

/** Ids that may come next in a conversation (speculative decoding). */
export interface Draft {
  ids: readonly number[]
  /** How likely each of them is to be the one that is drawn, where all before it were. */
  chance: number
}

/** A slot whose next tokens are to be sampled. */
export interface Sampled {
  slot: number
  /** The last id, not yet in the cache, and its place. */
  token: number
  position: number
  sampling: Sampling
  /** The number in [0, 1) that decides the token at a place. */
  uniform(position: number): number
  /** What may come next: where a decoder checks drafts, it samples one token more than it found to be drawn. */
  draft: Draft
}

/** What was sampled for one slot. */
export interface Drawn {
  tokens: number[]
  logprobs: number[]
}

/** A slot whose next token's distribution is wanted. */
export type Measured = Pick<Sampled, 'slot' | 'token' | 'position'>

/** A model's calls on a cache; weights and cache are arguments, so models of one architecture can share them. */
export interface Decoder {
  /** Tokens that a call samples for each slot. */
  readonly tokensPerCall: number
  /** Whether its caches are variables whose width may change without compiling anew. */
  readonly anyWidth: boolean
  /** Whether calls on several caches run side by side. */
  readonly beside: boolean
  /** Whether ids get the same, bit for bit, whatever else is computed: then what is cached of them may be copied. */
  readonly independent: boolean
  /** Whether drafts are of use to it. */
  readonly checksDrafts: boolean
  /** How wide the cache must be for a slot's ids from `cached` on to be read. */
  reach(cached: number, ids: number): number
  /** Reads some of the ids. @returns how many of each, from the first one on; in all at least one */
  prefill(state: DecoderState, unread: readonly Unread[]): Promise<number[]>
  /**
   * Samples for some of the slots.
   * @param filled Number of ids in the cache for each slot; what it holds of the others stays as it is up to there.
   */
  decode(state: DecoderState, rows: readonly Sampled[], filled: readonly number[]): Promise<Drawn[]>
  /** Log-probabilities of what may come next, [vocabulary] for each of the rows. Their tokens are in the cache then. */
  measure(state: DecoderState, rows: readonly Measured[], filled: readonly number[]): Promise<Float32Array[]>
}

/** The type of the weights of the layers' products, and what these are computed in. */
export type DecodingType = 'float32' | 'bfloat16'

/** What a decoder depends on. */
export interface DecoderOptions {
  config: ModelConfig
  /** Ids from here on (padding rows of the embedding) are never drawn. */
  vocabulary: number
}

/** What of top-p and top-k some of the rows ask for. */
export const truncationOf = (rows: readonly Sampled[]): Truncation => ({
  topP: rows.some(({ sampling }) => sampling.topP < 1),
  topK: rows.some(({ sampling }) => sampling.topK > 0),
})
