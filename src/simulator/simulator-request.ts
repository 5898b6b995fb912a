import type { Quality } from '../schema/document.js'
import type { Question } from '../schema/question.js'
import { neutralize, neutralizeQuestion } from '../search/neutralize.js'
import type { Message } from '../tokenizer/tokenizer.js'
import type { SimulatorPrompt } from './prompts.js'

/**
 * What a simulator LLM is asked for a query. Training data is written with the same, so that what is learned is what is asked.
 * @param model Whose special tokens neither query nor question may hold.
 */
export function simulatorRequest(
  prompt: SimulatorPrompt,
  { query, question, quality, documents }: { query: string; question: Question; quality: Quality; documents: number },
  model: Parameters<typeof neutralize>[1],
): string | Message[] {
  return prompt.render(queryLine(query, model), neutralizeQuestion(question, model), quality, documents)
}

/** On one line: a query must not be able to write lines of the prompt. */
const queryLine = (query: string, model: Parameters<typeof neutralize>[1]): string =>
  neutralize(query.replace(/[\s\p{Cc}]+/gu, ' ').trim(), model)
