import type { Document, Quality } from './document.js'
import type { Question } from './question.js'

/** What one policy message asks for. The first complete `<search>` or `<answer>` tag decides. */
export type Action =
  | {
      /** A search is wanted. */
      kind: 'search'
      /** What is searched for; never empty. */
      query: string
    }
  | {
      /** The question is answered. */
      kind: 'answer'
      /** The answer, trimmed. */
      answer: string
    }
  | {
      /** Pages are wanted whole; some evaluation methods read them. */
      kind: 'read'
      /** Their addresses. */
      urls: string[]
    }
  | {
      /** A step of a method that asks for nothing: a thought, an analysis, a piece of evidence. */
      kind: 'think'
    }
  | {
      /** There is no complete tag, or an empty query. */
      kind: 'invalid'
      /** What is wrong. */
      cause: string
    }

/** What is inserted after a policy message: documents, or the correction of an invalid action. */
export interface Observation {
  /** The text as the policy sees it, tags included. */
  text: string
  /** What the engine found; empty for a correction. */
  documents: Document[]
  /** The quality that was asked of a simulator; absent for real engines and corrections. */
  quality?: Quality
  /** What the engine received in answer, where it could read no documents in it. */
  unread?: string
}

/** What answering a question takes, or may take at most. */
export interface Expense {
  /** Searches that reach the engine. */
  searches: number
  /** Texts that language models write: the policy, and its helpers such as a page reader. */
  turns: number
  /** Tokens of these texts. */
  tokens: number
  /** Pages that are read whole. */
  pages: number
  /** What these texts cost, where a model knows its price. */
  cost?: number
}

/** One policy message plus its observation. */
export interface Turn {
  /** The policy's own text. */
  text: string
  /** What the message asks for. */
  action: Action
  /** What followed; absent after the last message. */
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
  /** The question that was asked. */
  question: Question
  /** Messages of the policy, each with what followed. */
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
  /** Why it ended. */
  stopReason: TrajectoryStopReason
  /** What failed, where `stopReason` is `failed`. */
  failure?: {
    /** Where. */
    boundary: FailureBoundary
    /** Message of the error. */
    message: string
  }
  /** Number of searches made. */
  searches: number
  /** What it took, where an evaluation method counted it. */
  spent?: Expense
  /** What it might have taken at most, as far as the method has limits. */
  budget?: Partial<Expense>
  /** The seed of its draws. */
  seed: number
}
