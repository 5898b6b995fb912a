import type { TrajectoryStopReason } from './trajectory.js'

/**
 * Where a token comes from: the question and its instruction; the policy itself; the documents that a search engine or a
 * simulator gave; or a fixed text around these, of the chat template or the protocol, corrections included.
 */
export type TokenSource = 'prompt' | 'policy' | 'observation' | 'template'

/** One token of a trajectory. What is of the policy's own tokens alone is absent on others. */
export interface ViewedToken {
  /** Its place among the trajectory's ids, from 0. */
  place: number
  /** Its number in the vocabulary. */
  id: number
  /** Its text; that of a character which several tokens make up is at the first of them, and the others have none. */
  text: string
  /** Where it comes from. */
  source: TokenSource
  /** 0 on the prompt; then the message of the policy, from 1, that it belongs to or follows. */
  turn: number
  /** 1 where it is trained on. */
  mask: 0 | 1
  /** Log-probability as the sampler gave it, nats. */
  samplerLogprob?: number
  /** The same under the policy as it was when the view was made. */
  trainerLogprob?: number
  /** π_trainer / π_sampler of this token. */
  ratio?: number
  /** Estimated divergence of the policy from the reference, nats; absent without a reference. */
  kl?: number
  /** What the critic says before the token; absent without a critic. */
  value?: number
  /** What the critic learns to say there; absent without a critic or a batch. */
  return?: number
  /** How much better the token was than expected; absent without a batch. */
  advantage?: number
}

/** A trajectory token by token, as an update sees it; plain data. */
export interface TokenView {
  /** The question that was asked. */
  question: string
  /** The answer, or null. */
  answer: string | null
  /** Why it ended. */
  stopReason: TrajectoryStopReason
  /** Name of the policy whose log-probabilities these are. */
  policy: string
  /** Whose advantages these are; absent without a batch. */
  algorithm?: string
  /** What the trajectory was worth; absent without a batch. */
  reward?: number
  /** How the divergence was estimated; absent without a reference. */
  klEstimator?: string
  /** All tokens, in order. */
  tokens: ViewedToken[]
}
