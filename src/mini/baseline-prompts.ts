import type { BaselinePrompts } from '../evaluation/methods/baseline-prompts.js'
import { policyPrompt } from './prompts.js'

/**
 * For the mini world's models. They know only their own protocol, so the prompt already holds their first words: a thought
 * for `direct`, a search for the question for `rag`.
 */
export const miniBaselinePrompts: BaselinePrompts = {
  direct: (question) => `${policyPrompt(question)}<think> I know this.</think>`,
  rag: (question, observation) =>
    `${policyPrompt(question)}<think> I need to search.</think><search> ${question}</search>${observation}`,
}
