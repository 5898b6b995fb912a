import type { Document, Quality } from './document.js'
import type { Question } from './question.js'

/** What one policy message asks for. The first complete `<search>` or `<answer>` tag decides. */
export type Action =
  { kind: 'search'; query: string } | { kind: 'answer'; answer: string } | { kind: 'invalid'; cause: string }

/** What is inserted after a policy message: documents, or the correction of an invalid action. */
export interface Observation {
  /** The text as the policy sees it, tags included. */
  text: string
  documents: Document[]
  /** The quality that was asked of a simulator; absent for real engines and corrections. */
  quality?: Quality
  /** What the engine received in answer, where it could read no documents in it. */
  unread?: string
}

/** One policy message plus its observation. */
export interface Turn {
  /** The policy's own text. */
  text: string
  action: Action
  observation?: Observation
}

/** Where a failed rollout failed. */
export type FailureBoundary = 'policy' | 'search' | 'parse' | 'reward'

/** Why a rollout ended. `maxTurns`: the final turn gave no answer. `maxTokens`: the trajectory is full. */
export type TrajectoryStopReason = 'answer' | 'maxTurns' | 'maxTokens' | 'failed'

/**
 * One question played to its end. `ids` is exactly what the policy saw and sampled, never re-tokenised;
 * `lossMask` and `logprobs` are aligned with it.
 */
export interface Trajectory {
  question: Question
  turns: Turn[]
  /** Prompt, policy tokens and observations in order. */
  ids: number[]
  /** 1 where the policy sampled the token, 0 on prompt and observations. */
  lossMask: number[]
  /** Log-probability under the sampling policy, natural log; 0 where `lossMask` is 0. */
  logprobs: number[]
  /** Number of leading ids that are the prompt. */
  promptLength: number
  /** Text of the last `<answer>` that the policy itself wrote, or null. */
  answer: string | null
  stopReason: TrajectoryStopReason
  failure?: { boundary: FailureBoundary; message: string }
  /** Number of searches made. */
  searches: number
  seed: number
}
