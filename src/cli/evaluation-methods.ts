import { z } from 'zod'
import type { Method } from '../evaluation/method.js'
import { airRagMethod } from '../evaluation/methods/air-rag.js'
import { zerosearchBaselinePrompts } from '../evaluation/methods/baseline-prompts.js'
import { cotMethod } from '../evaluation/methods/cot.js'
import { deepResearcherMethod } from '../evaluation/methods/deep-researcher.js'
import { directMethod } from '../evaluation/methods/direct.js'
import { buildPhraseIndex } from '../evaluation/methods/phrase-index.js'
import { policyMethod } from '../evaluation/methods/policy.js'
import { r1Method } from '../evaluation/methods/r1.js'
import { raAgentMethod } from '../evaluation/methods/ra-agent.js'
import { ragMethod } from '../evaluation/methods/rag.js'
import { ragStarMethod } from '../evaluation/methods/rag-star.js'
import { retroLlmMethod } from '../evaluation/methods/retro-llm.js'
import { searchO1Method } from '../evaluation/methods/search-o1.js'
import { searchR1Method } from '../evaluation/methods/search-r1.js'
import { selfRagMethod } from '../evaluation/methods/self-rag.js'
import { zeroSearchMethod } from '../evaluation/methods/zerosearch.js'
import { isPolicy } from '../evaluation/methods/transcript.js'
import type { LanguageModel } from '../language-model/language-model.js'
import { miniBaselinePrompts } from '../mini/baseline-prompts.js'
import { miniProtocol } from '../mini/protocol.js'
import type { Policy } from '../policy/policy.js'
import { zerosearchProtocol } from '../rollout/protocol.js'
import { parseOptions } from '../schema/parse-options.js'
import { readPage } from '../search/page/read-page.js'
import type { SearchEngine } from '../search/search-engine.js'
import { name, openDocuments } from './named-inputs.js'

// Methods by their names, as configuration files have them. Their options are checked by the methods themselves.

type Model = LanguageModel & Policy
type Make = (model: Model, options: never) => Method | Promise<Method>

const METHODS: Readonly<Record<string, Make>> = {
  direct: directMethod,
  cot: cotMethod,
  rag: ragMethod,
  'ra-agent': raAgentMethod,
  'search-o1': searchO1Method,
  r1: r1Method,
  'search-r1': searchR1Method,
  zerosearch: zeroSearchMethod,
  'self-rag': selfRagMethod,
  async 'retro-llm'(model, { documents, ...options }: { documents: string }) {
    const index = await buildPhraseIndex(model.tokenizer, await openDocuments(documents))
    return retroLlmMethod(model, { ...options, index } as never)
  },
  'rag-star': ragStarMethod,
  'air-rag': airRagMethod,
  'deep-researcher': deepResearcherMethod,
  policy: (model, options) => policyMethod('policy', model, options),
}

/** Those that see tokens: a server will not do. */
const NEED_POLICY = ['self-rag', 'retro-llm', 'policy']

const methodNames = Object.keys(METHODS) as [string, ...string[]]

/** A method in a file: what is named in it, and options that are handed on. */
export const methodSchema = z.looseObject({
  method: z.enum(methodNames),
  model: name,
  name: name.exactOptional(),
  searchEngine: name.exactOptional(),
  reader: name.exactOptional(),
  verifier: name.exactOptional(),
  protocol: z.enum(['zerosearch', 'mini']).exactOptional(),
  prompts: z.enum(['zerosearch', 'mini']).exactOptional(),
  fetchPage: z.boolean().exactOptional(),
  documents: name.exactOptional(),
})
export type MethodSettings = z.output<typeof methodSchema>

/** What is named, opened. */
export interface Opened {
  model: (name: string) => Promise<LanguageModel>
  searchEngine: (name: string) => Promise<SearchEngine>
}

/** @param operation Begins the errors: `eval.json: methods.0`. */
export async function openMethod(operation: string, settings: MethodSettings, opened: Opened): Promise<Method> {
  const { method, name: shown, model: modelName, searchEngine, reader, verifier, protocol, prompts, ...rest } = settings
  const { fetchPage, ...options } = rest
  const model = await opened.model(modelName)
  if (NEED_POLICY.includes(method) && !isPolicy(model)) {
    throw new Error(`${operation}: method ${method} must have a model in this process, got ${modelName}, a server`)
  }
  const given = {
    ...options,
    ...(searchEngine !== undefined && { searchEngine: await opened.searchEngine(searchEngine) }),
    ...(reader !== undefined && { reader: await opened.model(reader) }),
    ...(verifier !== undefined && { verifier: await opened.model(verifier) }),
    ...(protocol !== undefined && { protocol: protocol === 'mini' ? miniProtocol : zerosearchProtocol }),
    ...(prompts !== undefined && { prompts: prompts === 'mini' ? miniBaselinePrompts : zerosearchBaselinePrompts }),
    ...(fetchPage === true && { fetchPage: readPage }),
  }
  try {
    const made = await METHODS[method]!(model as Model, given as never)
    return shown === undefined ? made : { ...made, name: shown }
  } catch (error) {
    throw new Error(`${operation}: ${(error as Error).message}`, { cause: error })
  }
}

/** Checks what can be checked of a method before anything is opened. */
export const checkMethod = (operation: string, settings: unknown): MethodSettings =>
  parseOptions(operation, methodSchema, settings)
