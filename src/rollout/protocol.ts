import type { Document } from '../schema/document.js'
import type { Message, Tokenizer } from '../tokenizer/tokenizer.js'

/** How a policy and its search engine talk. */
export interface Protocol {
  /** Shown where a run is resumed with another one. */
  name: string
  /** The prompt's ids. */
  prompt(tokenizer: Tokenizer, question: string): number[]
  /** Documents as the policy sees them, tags included. Their own tags have been made harmless before. */
  observation(documents: readonly Document[]): string
  /** Answer to a message without a complete search or answer tag. */
  correction: string
  /** Searches of one question; after the last one the policy gets one more message to answer. */
  maxSearches: number
  /** Most ids of one message of the policy. */
  maxTokensPerTurn: number
  /** Most ids of one observation; documents are cut at the end. */
  maxObservationTokens: number
  /** Most ids of a trajectory, prompt included; a policy whose context holds fewer is taken at its own limit. */
  maxTokens: number
}

export const CLOSE_INFORMATION = '</information>'

/** The question with ZeroSearch's instruction before it, as one message of the user. Search-R1's says the same. */
export const instructed = (question: string): Message[] => [{ role: 'user', content: INSTRUCTION + question }]

const INSTRUCTION = `Answer the question below. Reason first, between <think> and </think>, whenever you have learned something new. \
If you find that you lack knowledge, ask a search engine by writing <search> your query </search>; it returns the best \
documents between <information> and </information>. You may search as often as you like. Once nothing more is needed, \
write the answer alone between <answer> and </answer>, without explanations, such as <answer> Lima </answer>. Question: `

/** ZeroSearch's protocol (arXiv 2505.04588, table 1) for instruction-tuned and base models. */
export const zerosearchProtocol: Protocol = {
  name: 'zerosearch',
  prompt: (tokenizer, question) => tokenizer.encode(tokenizer.renderPrompt(instructed(question))),
  observation: (documents) => `\n\n<information>${listDocuments(documents)}${CLOSE_INFORMATION}\n\n`,
  correction:
    '\nThat was no valid action. To search, write the query between <search> and </search>. To answer, write the answer ' +
    'between <answer> and </answer>. Try again.\n',
  maxSearches: 5,
  maxTokensPerTurn: 500,
  maxObservationTokens: 2048,
  maxTokens: 4096,
}

function listDocuments(documents: readonly Document[]): string {
  return documents
    .map((document, i) => `Doc ${i + 1}: ${document.title ? `(${document.title}) ` : ''}${document.text}`)
    .join('\n')
}
