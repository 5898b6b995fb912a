import type { Policy } from '../policy/policy.js'
import type { Document } from '../schema/document.js'
import { createRandom, hash, shuffle } from '../schema/seeded-random.js'
import type { SearchEngine } from '../search/search-engine.js'
import { zerosearchSimulatorPrompt } from './prompts.js'
import type { SimulatorPrompt } from './prompts.js'

export interface SimulatorOptions {
  /** Default: the paper's. */
  prompt?: SimulatorPrompt
  /** Default 0.8, as in the paper. */
  temperature?: number
  /** Most ids of all documents together; default 600, as in the paper. */
  maxTokens?: number
}

/**
 * An LLM that plays the search engine: it writes documents for a query, useful or noisy as the context asks (default
 * useful). The same context and seed give the same documents. Their order is shuffled, so that place tells nothing.
 */
export function createSimulator(llm: Policy, options: SimulatorOptions = {}): SearchEngine {
  const { prompt = zerosearchSimulatorPrompt, temperature = 0.8, maxTokens = 600 } = options
  return {
    name: `simulator ${llm.name}`,
    async search(query, { question, topK, quality = 'useful', seed = 0 }) {
      const ids = prompt.render(llm.tokenizer, query, question, quality, topK)
      const conversation = await llm.start({ temperature, topP: 1, topK: 0 }, hash(seed, 1))
      try {
        const { text } = await conversation.generate(ids, { maxTokens, stop: prompt.stop })
        const documents = parseDocuments(text).slice(0, topK)
        const order = shuffle(createRandom(hash(seed, 2)), documents)
        return order.map((document, i) => ({ ...document, rank: i + 1 }))
      } finally {
        conversation.end()
      }
    },
  }
}

/** Documents of a text in which each begins with "Doc i:"; whatever stands before the first one is dropped. */
export function parseDocuments(text: string): Document[] {
  const body = text.split('</information>')[0]!
  const parts = body.split(/(?:^|\s)Doc\s*\d+\s*:/)
  return parts
    .slice(1)
    .map((part) => part.trim().replace(/\s+/g, ' '))
    .filter((part) => part !== '')
    .map((part, i) => ({ text: part, rank: i + 1 }))
}
