import { z } from 'zod'
import type { Policy } from '../policy/policy.js'
import { createRandom, hash, shuffle } from '../random/seeded-random.js'
import { neutralize, neutralizeQuestion } from '../search/neutralize.js'
import { temperatureSchema } from '../policy/sampling-options.js'
import { anObject, parseOptions } from '../schema/parse-options.js'
import type { SearchEngine } from '../search/search-engine.js'
import { parseDocuments } from './parse-documents.js'
import { zerosearchSimulatorPrompt } from './prompts.js'
import type { SimulatorPrompt } from './prompts.js'

export interface SimulatorOptions {
  /** Default: the paper's. */
  prompt?: SimulatorPrompt
  /** Default 0.8, as in the paper. */
  temperature?: number
}

const schema = z.strictObject({
  prompt: anObject<SimulatorPrompt>('a simulator prompt', ['render']).default(zerosearchSimulatorPrompt),
  temperature: temperatureSchema.default(0.8),
})

/**
 * An LLM that plays the search engine: it writes documents for a query, useful or noisy as the context asks (default
 * useful). The same context and seed give the same documents. Their order is shuffled, so that place tells nothing.
 * Text without documents is an empty list, as where nothing was found.
 */
export function createSimulator(llm: Policy, options: SimulatorOptions = {}): SearchEngine {
  const { prompt, temperature } = parseOptions('create simulator', schema, options)
  return {
    name: `simulator ${llm.name}`,
    async search(query, { question, topK, quality = 'useful', seed = 0 }) {
      const { tokenizer } = llm
      // On one line: a query must not be able to write lines of the prompt.
      const asked = neutralize(query.replace(/[\s\p{Cc}]+/gu, ' ').trim(), tokenizer)
      const ids = prompt.render(tokenizer, asked, neutralizeQuestion(question, tokenizer), quality, topK)
      if (ids.length >= llm.contextLength) {
        throw new Error(
          `simulate: the prompt must be shorter than the simulator's context of ${llm.contextLength} ids, ` +
            `got ${ids.length}; take a simulator with a longer context, or limit the policy's queries`,
        )
      }
      const conversation = await llm.start({ temperature, topP: 1, topK: 0 }, hash(seed, 1))
      try {
        const { text } = await conversation.generate(ids, { maxTokens: prompt.maxTokens, stop: prompt.stop })
        const order = shuffle(createRandom(hash(seed, 2)), parseDocuments(text).slice(0, topK))
        return order.map((document, i) => ({ ...document, rank: i + 1 }))
      } finally {
        conversation.end()
      }
    },
  }
}
