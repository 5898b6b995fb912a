/** A chat message, as chat templates take it. */
export interface Message {
  role: 'system' | 'user' | 'assistant'
  content: string
}

/** Text to ids and back, with the model's chat template. */
export interface Tokenizer {
  /** Number of ids, added tokens included (embedding rows may be more). */
  readonly vocabSize: number
  /** Ids that end a generation (from generation_config.json, config.json or tokenizer_config.json). */
  readonly eosIds: readonly number[]
  readonly padId: number
  /** Texts that are encoded as one id of special meaning, wherever they stand: `<|im_end|>`, `<tool_call>`. */
  readonly specialTokens: readonly string[]
  /** True where the checkpoint has a chat template. */
  readonly hasChatTemplate: boolean
  /** No special tokens are added; tags that are added tokens are recognised. */
  encode(text: string): number[]
  /** @param skipSpecial Drop special tokens; default false. */
  decode(ids: readonly number[], skipSpecial?: boolean): string
  /** Messages as the model's prompt text, ending where the assistant speaks. Without a chat template: the contents, joined by blank lines. */
  renderPrompt(messages: readonly Message[]): string
}
