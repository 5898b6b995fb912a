import type { ExampleMessage, Message, Tools } from '../schema/text-example.js'

export type { Message }

/** Text to ids and back, with the model's chat template. */
export interface Tokenizer {
  /** Number of ids, added tokens included (embedding rows may be more). */
  readonly vocabSize: number
  /** Ids that end a generation (from generation_config.json, config.json or tokenizer_config.json). */
  readonly eosIds: readonly number[]
  /** Id that fills rows up; where the model names none, one that ends a generation, else 0. */
  readonly padId: number
  /** Texts that are encoded as one id of special meaning, wherever they stand: `<|im_end|>`, `<tool_call>`. */
  readonly specialTokens: readonly string[]
  /** True where the checkpoint has a chat template. */
  readonly hasChatTemplate: boolean
  /** The ids of a text. No special tokens are added; tags that are added tokens are recognised. */
  encode(text: string): number[]
  /**
   * The text of ids.
   * @param skipSpecial Drop special tokens; default false.
   * @throws where an id is not in the vocabulary
   */
  decode(ids: readonly number[], skipSpecial?: boolean): string
  /**
   * Messages as the model's prompt text, ending where the assistant speaks. Without a chat template: the contents, joined by blank lines.
   * @param addGenerationPrompt False ends the text with the last message; default true.
   * @param tools What the assistant may call. Default none.
   */
  renderPrompt(messages: readonly ExampleMessage[], addGenerationPrompt?: boolean, tools?: Tools): string
}
