import { z } from 'zod'
import type { LanguageModel } from '../../language-model/language-model.js'
import { CLOSE_INFORMATION } from '../../rollout/protocol.js'
import { parseLimits } from '../../rollout/rollout-options.js'
import { anObject, parseOptions } from '../../schema/parse-options.js'
import { neutralizeDocument } from '../../search/neutralize.js'
import type { SearchEngine } from '../../search/search-engine.js'
import type { Method } from '../method.js'
import { attempt } from './attempt.js'
import { harmless } from './model-options.js'
import { ask, baselineSchema } from './one-message.js'
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
 *
 * It follows the standard RAG of Search-o1 (arXiv 2501.05366, section 4.2; scripts/run_naive_rag.py) with the paper's five
 * documents: the question is searched verbatim, once; an empty result still gives one call. Departures: the wording is ours; the
 * engine's documents are shown, not windows of whole pages (upstream: ten pages, `readPage` and Search-o1 have those here); they
 * are cut to the protocol's `maxObservationTokens`; the answer is read from `<answer>` tags, upstream from `\boxed{}`; greedy.
 * ZeroSearch (arXiv 2505.04588) prints neither its prompt nor its sampling for this row.
 * @throws if an option is not what it must be
 * @example
 * const method = zs.ragMethod(model, { searchEngine: engine, topK: 3 })
 * const scores = await zs.evaluate({ methods: [method], questions })
 */
export function ragMethod(model: LanguageModel, options: RagOptions): Method {
  const { searchEngine, topK, protocol, prompts, sampling } = parseOptions('rag method', ragSchema, options)
  const { maxTokensPerTurn: tokens } = parseLimits('rag method', protocol)
  const budget = { searches: 1, turns: 1, tokens, pages: 0 }
  return {
    name: 'rag',
    budget,
    settings: { model, searchEngine, topK, protocol, prompts, sampling },
    answer: (question, context) =>
      attempt(question, context, budget, async (running) => {
        const documents = await running.search(searchEngine, question.question, topK)
        const text = protocol.observation(documents.map((document) => neutralizeDocument(document, model)))
        const observation = cutDocuments(model, text, protocol.maxObservationTokens)
        const prompt = prompts.rag(harmless(question.question, model), observation)
        return ask(running, model, prompt, { protocol, sampling })
      }),
  }
}

/** Documents between their tags, cut at their end to what the protocol allows. */
export function cutDocuments(model: LanguageModel, observation: string, maxTokens: number): string {
  const end = observation.lastIndexOf(CLOSE_INFORMATION)
  const documents = observation.slice(0, end)
  const cut = model.truncate?.(documents, maxTokens) ?? documents.slice(0, maxTokens * CHARACTERS_PER_TOKEN)
  return cut + observation.slice(end)
}
