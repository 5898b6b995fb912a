import type { Tokenizer } from '../tokenizer/tokenizer.js'

/** Prompts of the methods that do not search on their own, as ids. The policy answers in `<answer>` tags. */
export interface BaselinePrompts {
  direct(tokenizer: Tokenizer, question: string): number[]
  /** @param observation Documents between `<information>` tags. */
  rag(tokenizer: Tokenizer, question: string, observation: string): number[]
}

const ANSWER = 'Write the answer alone between <answer> and </answer>, without explanations'

const chat = (tokenizer: Tokenizer, content: string): number[] =>
  tokenizer.encode(tokenizer.renderPrompt([{ role: 'user', content }]))

/** For instruction-tuned and base models. The paper does not print its wording; this is ours. */
export const zerosearchBaselinePrompts: BaselinePrompts = {
  direct: (tokenizer, question) =>
    chat(tokenizer, `Answer the question below from what you know. ${ANSWER}. Question: ${question}`),
  rag: (tokenizer, question, observation) =>
    chat(
      tokenizer,
      `Answer the question below with the help of the documents that a search engine found for it. ${ANSWER}.\n\n` +
        `${observation.trim()}\n\nQuestion: ${question}`,
    ),
}
