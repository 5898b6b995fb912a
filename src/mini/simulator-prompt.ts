import type { SimulatorPrompt } from '../simulator/prompts.js'
import { simulatorPrompt } from './prompts.js'

/**
 * For the mini world's simulator (data/mini). A departure from the paper: a tiny model knows no bridge between two
 * hops, so its prompt carries the question's supporting facts; for noise it carries none.
 */
export const miniSimulatorPrompt: SimulatorPrompt = {
  render(query, { question, goldAnswers, supportingFacts = [] }, quality) {
    return simulatorPrompt(query, { question, answer: goldAnswers[0] ?? '', supportingFacts }, quality)
  },
  stop: ['</information>'],
  maxTokens: 160,
}
