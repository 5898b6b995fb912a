import type { Quality } from '../schema/document.js'

// The texts that the mini world's models are taught, and prompted with.

export const policyPrompt = (question: string): string => `Question: ${question}`

/** Documents as the policy sees them. */
export const information = (texts: readonly string[]): string =>
  `<information> ${texts.map((text, i) => `Doc ${i + 1}: ${text}`).join(' ')}</information>`

/** What the simulator is told. A departure from the paper: a tiny model knows no bridges, so it is given the facts. */
export function simulatorPrompt(
  query: string,
  question: { question: string; answer: string; supportingFacts: readonly string[] },
  quality: Quality,
): string {
  const head = `${quality === 'useful' ? 'Useful' : 'Noisy'} documents. Query: ${query} Question: ${question.question}`
  if (quality === 'noisy') return `${head}<information>`
  return `${head} Answer: ${question.answer} Facts: ${question.supportingFacts.join(' ')}<information>`
}
