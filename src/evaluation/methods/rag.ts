import { z } from 'zod'
import type { LanguageModel } from '../../language-model/language-model.js'
import { CLOSE_INFORMATION } from '../../rollout/protocol.js'
import { parseLimits } from '../../rollout/rollout-options.js'
import { anObject, parseOptions } from '../../schema/parse-options.js'
import { neutralizeDocument } from '../../search/neutralize.js'
import type { SearchEngine } from '../../search/search-engine.js'
import type { Method } from '../method.js'
import { ask, baselineSchema, failed } from './one-message.js'
import type { BaselineOptions } from './one-message.js'

/** Options of `ragMethod`. */
export interface RagOptions extends BaselineOptions {
  /** Where documents come from. */
  searchEngine: SearchEngine
  /** Documents that are retrieved; default 5. */
  topK?: number
}

const ragSchema = baselineSchema.extend({
  searchEngine: anObject<SearchEngine>('a search engine', ['search']),
  topK: z.int().min(1).default(5),
})

/** Where a model cannot tell: fewer than most texts have. */
const CHARACTERS_PER_TOKEN = 4

/**
 * The model with the documents of one search for the question itself. Its name is `rag`.
 * @throws if an option is not what it must be
 * @example
 * const method = zs.ragMethod(model, { searchEngine: engine, topK: 3 })
 * const scores = await zs.evaluate({ methods: [method], questions })
 */
export function ragMethod(model: LanguageModel, options: RagOptions): Method {
  const { searchEngine, topK, protocol, prompts, sampling } = parseOptions('rag method', ragSchema, options)
  parseLimits('rag method', protocol)
  return {
    name: 'rag',
    async answer(question, context) {
      let text: string
      try {
        const documents = await searchEngine.search(question.question, { question, topK, ...context })
        text = protocol.observation(documents.slice(0, topK).map((document) => neutralizeDocument(document, model)))
      } catch (error) {
        return { ...failed(question, context, 'search', error), searches: 1 }
      }
      const observation = cutDocuments(model, text, protocol.maxObservationTokens)
      const trajectory = await ask(model, question, context, { protocol, sampling }, (asked) =>
        prompts.rag(asked, observation),
      )
      return { ...trajectory, searches: 1 }
    },
  }
}

/** Documents between their tags, cut at their end to what the protocol allows. */
function cutDocuments(model: LanguageModel, observation: string, maxTokens: number): string {
  const end = observation.lastIndexOf(CLOSE_INFORMATION)
  const documents = observation.slice(0, end)
  const cut = model.truncate?.(documents, maxTokens) ?? documents.slice(0, maxTokens * CHARACTERS_PER_TOKEN)
  return cut + observation.slice(end)
}
