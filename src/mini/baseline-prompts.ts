import type { BaselinePrompts } from '../evaluation/methods/baseline-prompts.js'
import { policyPrompt } from './prompts.js'

/**
 * For the mini world's models, which know their own protocol alone: what they would have written before they answer
 * without a search, or had they searched for the question itself, is put into the prompt.
 */
export const miniBaselinePrompts: BaselinePrompts = {
  direct: (question) => `${policyPrompt(question)}<think> I know this.</think>`,
  rag: (question, observation) =>
    `${policyPrompt(question)}<think> I need to search.</think><search> ${question}</search>${observation}`,
}
