import { z } from 'zod'
import type { LanguageModel } from '../language-model/language-model.js'
import { temperatureSchema } from '../policy/sampling-options.js'
import { createRandom, hash, shuffle } from '../random/seeded-random.js'
import type { Document } from '../schema/document.js'
import { aFunction, anObject, parseOptions } from '../schema/parse-options.js'
import type { SearchContext, SearchEngine } from '../search/search-engine.js'
import { parseDocuments } from './parse-documents.js'
import { zerosearchSimulatorPrompt } from './prompts.js'
import type { SimulatorPrompt } from './prompts.js'
import { simulatorRequest } from './simulator-request.js'

/** Options of `createSimulator`. */
export interface SimulatorOptions {
  /** How the LLM is asked, or a function of your own that does. Default: the paper's, `zerosearchSimulatorPrompt`. */
  prompt?: SimulatorPrompt | SimulatorPrompt['render']
  /** Of the LLM's text; 0 is greedy. Default 0.8, as in the paper. */
  temperature?: number
}

/** What a simulator LLM wrote for a query, and the documents that were read in it. */
export interface Simulation {
  /** At most as many as were asked for, shuffled. */
  documents: Document[]
  /** The LLM's own text. */
  text: string
  /** Tokens that it read. */
  promptTokens: number
  /** Tokens that it wrote. */
  completionTokens: number
  /** What they cost, where the price is known. */
  cost?: number
}

/** A search engine that an LLM plays. */
export interface Simulator extends SearchEngine {
  /** As `search`, with the text that the documents were read in. */
  simulate(query: string, context: SearchContext): Promise<Simulation>
}

const schema = z.strictObject({
  prompt: z
    .union(
      [anObject<SimulatorPrompt>('', ['render']), aFunction<SimulatorPrompt['render']>()],
      'must be a simulator prompt or a function',
    )
    .default(zerosearchSimulatorPrompt),
  temperature: temperatureSchema.default(0.8),
})

/** The number of documents that a prompt's `maxTokens` is for. */
const PROMPTS_DOCUMENTS = 5

/** Characters of an LLM's text that a warning shows. */
const LONGEST_BEGINNING = 200

/**
 * An LLM that plays the search engine: it writes documents for a query, useful or noisy as the context asks (default
 * useful). The same context and seed give the same documents. Their order is shuffled, so that the place of a document gives no hint.
 *
 * Text in which no documents can be read is an empty list, as where nothing was found. The context's `onUnread` is given
 * that text, and the first time a warning shows its beginning; `simulate` gives every text.
 * @throws where an option is not what it must be; a search rejects where the model fails
 * @example
 * const simulator = zs.createSimulator(model)
 * const documents = await simulator.search('capital of Peru', { question, topK: 5, quality: 'noisy', seed: 1 })
 * await zs.display(documents)
 */
export function createSimulator(model: LanguageModel, options: SimulatorOptions = {}): Simulator {
  const { temperature, ...given } = parseOptions('create simulator', schema, options)
  const prompt =
    typeof given.prompt === 'function' ? { ...zerosearchSimulatorPrompt, render: given.prompt } : given.prompt
  const name = `simulator ${model.name}`
  let warned = false

  async function simulate(query: string, context: SearchContext): Promise<Simulation> {
    const { question, topK, quality = 'useful', seed = 0, signal } = context
    const request = simulatorRequest(prompt, { query, question, quality, documents: topK }, model)
    const { text, promptTokens, completionTokens, cost } = await model.complete(request, {
      temperature,
      maxTokens: Math.ceil((prompt.maxTokens * Math.max(PROMPTS_DOCUMENTS, topK)) / PROMPTS_DOCUMENTS),
      stop: prompt.stop,
      seed: hash(seed, 1),
      ...(signal && { signal }),
    })
    const order = shuffle(createRandom(hash(seed, 2)), parseDocuments(text).slice(0, topK))
    const documents = order.map((document, i) => ({ ...document, rank: i + 1 }))
    return { documents, text, promptTokens, completionTokens, ...(cost !== undefined && { cost }) }
  }

  function tell(text: string, { onUnread }: SearchContext): void {
    onUnread?.(text)
    if (warned) return
    warned = true
    console.warn(
      `${name}: no documents could be read in what the LLM wrote; each must begin with its number, as in "Doc 1: …" or ` +
        `"1. …". It wrote: ${JSON.stringify(text.slice(0, LONGEST_BEGINNING))}${text.length > LONGEST_BEGINNING ? '…' : ''}`,
    )
  }

  return {
    name,
    parameters: { model, temperature, prompt },
    simulate,
    async search(query, context) {
      const { documents, text } = await simulate(query, context)
      if (documents.length === 0) tell(text, context)
      return documents
    },
  }
}
