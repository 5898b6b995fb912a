import type { Quality } from '../schema/document.js'
import type { Question } from '../schema/question.js'
import type { Message } from '../tokenizer/tokenizer.js'

/** How a simulator LLM is asked for documents. */
export interface SimulatorPrompt {
  /**
   * A text to continue, or messages of a chat.
   * @param query One line. Neither it nor the question holds a special token of the LLM.
   * @param documents How many are wanted.
   */
  render(query: string, question: Question, quality: Quality, documents: number): string | Message[]
  /** Strings that end its text. */
  stop: string[]
  /** Most tokens of all documents together. */
  maxTokens: number
}

/** For instruction-tuned LLMs: query, question and a gold answer, as the paper has it (arXiv 2505.04588, table 2). */
export const zerosearchSimulatorPrompt: SimulatorPrompt = {
  render(query, { question, goldAnswers }, quality, documents) {
    const wanted =
      quality === 'useful'
        ? 'useful documents, which hold what is needed to answer the question'
        : 'noisy documents, which look related to the query but do not help to answer the question'
    const content =
      `You are a search engine. Write ${documents} ${wanted}. Each is about 30 words long and stands on a line of its own ` +
      `that begins with "Doc" and its number, as in "Doc 1: …". Write nothing else.\n\nQuestion: ${question}\n` +
      `Answer: ${goldAnswers[0]}\nQuery: ${query}\n\n${quality === 'useful' ? 'Useful' : 'Noisy'} documents:`
    return [{ role: 'user', content }]
  },
  stop: [],
  // As in the paper.
  maxTokens: 600,
}
