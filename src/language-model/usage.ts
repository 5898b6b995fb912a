import type { Message } from '../tokenizer/tokenizer.js'
import type { Completion } from './language-model.js'

/** What a million tokens cost. */
export interface Price {
  /** Of the prompt. */
  prompt: number
  /** Of what is written. */
  completion: number
}

/** What a model has been asked, in all. */
export interface Usage {
  /** Completions. */
  completions: number
  /** Requests that failed, and were sent again or given up. */
  failures: number
  /** Tokens of all prompts. */
  promptTokens: number
  /** Tokens of all completions. */
  completionTokens: number
  /** What they cost, where the price was given. */
  cost?: number
}

/** Sums up completions. */
export class UsageCount {
  private completions = 0
  private promptTokens = 0
  private completionTokens = 0

  constructor(private readonly price: Price | undefined) {}

  /** @returns the completion with its cost, where the price is known */
  add(completion: Completion): Completion {
    this.completions++
    this.promptTokens += completion.promptTokens
    this.completionTokens += completion.completionTokens
    return this.price ? { ...completion, cost: costOf(completion, this.price) } : completion
  }

  sum(failures: number): Usage {
    const { completions, promptTokens, completionTokens } = this
    const tokens = { promptTokens, completionTokens }
    return { completions, failures, ...tokens, ...(this.price && { cost: costOf(tokens, this.price) }) }
  }
}

const costOf = (tokens: Pick<Completion, 'promptTokens' | 'completionTokens'>, price: Price): number =>
  (tokens.promptTokens * price.prompt + tokens.completionTokens * price.completion) / 1e6

const CHARACTERS_PER_TOKEN = 4

/** Number of tokens where nobody counts them. */
export function estimateTokens(text: string | readonly Message[]): number {
  const characters = typeof text === 'string' ? text.length : text.reduce((sum, { content }) => sum + content.length, 0)
  return Math.ceil(characters / CHARACTERS_PER_TOKEN)
}
