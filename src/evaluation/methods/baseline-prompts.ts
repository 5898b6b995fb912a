import type { Message } from '../../tokenizer/tokenizer.js'

/** Prompts of the methods that do not search on their own: a text to continue, or messages. The answer is to be in `<answer>` tags. */
export interface BaselinePrompts {
  /** The question alone. */
  direct(question: string): string | Message[]
  /**
   * The question with documents.
   * @param observation Documents between `<information>` tags.
   */
  rag(question: string, observation: string): string | Message[]
}

const ANSWER = 'Write the answer alone between <answer> and </answer>, without explanations'

/** For instruction-tuned and base models. The paper does not print its wording; this is ours. */
export const zerosearchBaselinePrompts: BaselinePrompts = {
  direct: (question) => [
    { role: 'user', content: `Answer the question below from what you know. ${ANSWER}. Question: ${question}` },
  ],
  rag: (question, observation) => [
    {
      role: 'user',
      content:
        `Answer the question below with the help of the documents that a search engine found for it. ${ANSWER}.\n\n` +
        `${observation.trim()}\n\nQuestion: ${question}`,
    },
  ],
}
