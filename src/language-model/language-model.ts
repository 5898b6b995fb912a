import type { Message } from '../tokenizer/tokenizer.js'

/** What one call of `complete` may produce, and how. */
export interface CompletionOptions {
  /** Most tokens of the completion; it ends there. Default 512. */
  maxTokens?: number
  /** 0 is greedy, else at least 0.001. Default 1. */
  temperature?: number
  /** Nucleus: the smallest set of tokens whose probability reaches this, in (0, 1]. Default 1: all. */
  topP?: number
  /** The k likeliest tokens; 0 keeps all. Default 0. */
  topK?: number
  /** Strings that end the text, and are left out of it. Default none. */
  stop?: readonly string[]
  /** Makes a sampled text repeat, where the model can. Default 0. */
  seed?: number
  /** Given the text as it comes, in pieces of whole characters; together they are the completion's text. */
  onText?: (piece: string) => void
  /** Gives up at once: the call rejects with the signal's reason. Default: the stop button of the notebook. */
  signal?: AbortSignal
}

/** What a language model wrote. */
export interface Completion {
  /** What was written, without the stop string. */
  text: string
  /** `stop`: a stop string came; `end`: the model ended; `length`: `maxTokens`, or the context is full. */
  finishReason: 'stop' | 'end' | 'length'
  /** The stop string that came, where the model tells it. */
  stopString?: string
  /** Number of tokens of the prompt. */
  promptTokens: number
  /** Number of tokens that were written. */
  completionTokens: number
  /** What it cost, where the price is known. */
  cost?: number
}

/**
 * Text in, text out: a model in this process, or one behind a server. What has to see tokens and their log-probabilities,
 * such as training, takes a `Policy` instead.
 */
export interface LanguageModel {
  /** Shown in tables and messages. */
  readonly name: string
  /** Most tokens of prompt and completion together, where that is known. */
  readonly contextLength?: number
  /**
   * Texts that a prompt must not hold where somebody else wrote them, as the model reads a command in them: `<|im_end|>`.
   * Where they are not known, `neutralize` takes all that look so. A model that reads every prompt as mere text has none: `[]`.
   */
  readonly specialTokens?: readonly string[]
  /** What else decides its texts, beside its name and the options of a request: a cache tells them apart by it. */
  readonly parameters?: Readonly<Record<string, unknown>>
  /** The beginning of a text, in this many tokens at most. Where the model cannot tell, four characters count as one. */
  truncate?(text: string, maxTokens: number): string
  /**
   * Writes on from a prompt.
   * @param prompt A text is continued as it is; messages are put into the form of a chat first.
   * @throws where an option is not what it must be, the prompt does not fit, or the model fails
   */
  complete(prompt: string | readonly Message[], options?: CompletionOptions): Promise<Completion>
}
