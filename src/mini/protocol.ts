import type { Protocol } from '../rollout/protocol.js'
import { information, policyPrompt } from './prompts.js'

/** The short protocol that the mini world's tiny models are taught (data/mini). */
export const miniProtocol: Protocol = {
  name: 'mini',
  prompt: (tokenizer, question) => tokenizer.encode(policyPrompt(question)),
  observation: (documents) => information(documents.map(({ text }) => text)),
  correction: '<information> Nothing found.</information>',
  maxSearches: 6,
  maxTokensPerTurn: 64,
  maxObservationTokens: 160,
  maxTokens: 768,
}
