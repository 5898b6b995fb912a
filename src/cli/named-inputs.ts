import { z } from 'zod'
import { readDocuments } from '../dataset/read-documents.js'
import type { CorpusDocument } from '../dataset/read-documents.js'
import { readQuestions } from '../dataset/read-questions.js'
import type { ReadQuestionsOptions } from '../dataset/read-questions.js'
import type { LanguageModel } from '../language-model/language-model.js'
import type { LocalModel, LocalModelOptions } from '../language-model/local-model.js'
import { openAi } from '../language-model/open-ai.js'
import type { OpenAiOptions } from '../language-model/open-ai.js'
import { MINI_DATASETS, miniCheckpoint, miniDocuments, miniQuestions } from '../mini/dataset.js'
import type { MiniDataset, Split } from '../mini/dataset.js'
import { miniSimulatorPrompt } from '../mini/simulator-prompt.js'
import { anObject, parseOptions } from '../schema/parse-options.js'
import type { Question } from '../schema/question.js'
import { createBm25Engine, loadBm25 } from '../search/bm25.js'
import { googleEngine, serpApiEngine } from '../search/google.js'
import type { GoogleOptions } from '../search/google.js'
import { elasticsearchEngine, searchR1Engine, wikiEngine } from '../search/retrieve-engines.js'
import type { ElasticsearchOptions } from '../search/retrieve-engines.js'
import type { SearchEngine } from '../search/search-engine.js'
import { zerosearchSimulatorPrompt } from '../simulator/prompts.js'
import { createSimulator } from '../simulator/simulator.js'

// What configuration files name, opened: models, questions, documents, search engines.

export const name = z.string().min(1)
export const names = z.union([name, z.array(name).min(1)], 'must be a text, or a list of texts')

/** How a model is loaded. */
export const localModelShape = {
  adapter: z
    .union([name, anObject<NonNullable<LocalModelOptions['adapter']>>()], 'must be settings, or a folder')
    .exactOptional(),
  slots: z.int().min(1).exactOptional(),
  contextLength: z.int().min(2).exactOptional(),
}

/** A key in a file would be kept, copied and shown. */
export function refuseKeys(path: string, value: unknown, field: readonly string[] = []): void {
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    if (/^api_?key$/i.test(key)) {
      throw new Error(
        `${path}: ${[...field, key].join('.')} must not be in a file; keys come from the environment, as OPENAI_API_KEY, or from --ask-key OPENAI_API_KEY`,
      )
    }
    refuseKeys(path, inner, [...field, key])
  }
}

export type ModelSettings = Pick<LocalModelOptions, 'adapter' | 'slots' | 'contextLength'> & { model: string }

const MINI = /^mini:(.*)$/

/** `mini:policy` is a model of the mini world; else it is a folder, a file or a name, as `loadModel` takes it. */
export async function openModel({ model, adapter, slots, contextLength }: ModelSettings): Promise<LocalModel> {
  // TensorFlow takes seconds, and not all need it.
  const { loadModel } = await import('../language-model/local-model.js')
  const own = MINI.exec(model)?.[1]
  return loadModel(own === undefined ? model : miniCheckpoint(own as 'policy'), {
    ...(adapter !== undefined && { adapter }),
    ...(slots !== undefined && { slots }),
    ...(contextLength !== undefined && { contextLength }),
  })
}

/** A file with the options of its reading. */
export type QuestionFile = { path: string } & ReadQuestionsOptions

/** Names of mini sets, with a split behind a colon (`mini-nq:validation`), and paths. */
export async function openQuestions(
  path: string,
  which: string | readonly (string | QuestionFile)[],
  defaultSplit: Split,
): Promise<Question[]> {
  const all: Question[] = []
  for (const each of typeof which === 'string' ? [which] : which) all.push(...(await openSet(each, defaultSplit)))
  if (all.length === 0) throw new Error(`${path}: questions must name at least one question, got none`)
  return all
}

function openSet(which: string | QuestionFile, defaultSplit: Split): Promise<Question[]> {
  if (typeof which !== 'string') {
    const { path, ...options } = which
    return readQuestions(path, options)
  }
  const [set, split = defaultSplit] = which.split(':') as [MiniDataset, Split?]
  return MINI_DATASETS.includes(set) ? miniQuestions(set, split) : readQuestions(which)
}

const simulatorFile = z
  .strictObject({
    kind: z.literal('simulator'),
    ...localModelShape,
    model: name.exactOptional(),
    server: anObject<OpenAiOptions>(
      'options of an OpenAI-compatible server, such as { model, baseUrl }',
    ).exactOptional(),
    prompt: z.enum(['zerosearch', 'mini']).default('zerosearch'),
    temperature: z.number().exactOptional(),
  })
  .refine(({ model, server }) => (model === undefined) !== (server === undefined), {
    path: ['model'],
    error: 'or server must be given, one of them',
  })

const bm25File = z
  .strictObject({
    kind: z.literal('bm25'),
    documents: name.exactOptional(),
    index: name.exactOptional(),
    k1: z.number().exactOptional(),
    b: z.number().exactOptional(),
  })
  .refine(({ documents, index }) => (documents === undefined) !== (index === undefined), {
    path: ['documents'],
    error: 'or index, a saved one, must be given, one of them',
  })

type OpenModel = (settings: ModelSettings) => Promise<LanguageModel>
type Settings = Record<string, unknown>
type Open = (settings: Settings, operation: string, open: OpenModel) => SearchEngine | Promise<SearchEngine>

/** Every kind of engine that a file can name. Engines behind servers check their options themselves. */
const ENGINES: Readonly<Record<string, Open>> = {
  async simulator(settings, operation, open) {
    const { model, server, prompt, temperature, ...loading } = parseOptions(operation, simulatorFile, settings)
    const language = server ? openAi(server) : await open({ ...loading, model: model! })
    return createSimulator(language, {
      prompt: prompt === 'mini' ? miniSimulatorPrompt : zerosearchSimulatorPrompt,
      ...(temperature !== undefined && { temperature }),
    })
  },
  async bm25(settings, operation) {
    const { documents, index, k1, b } = parseOptions(operation, bm25File, settings)
    if (index !== undefined) return loadBm25(index)
    const options = { ...(k1 !== undefined && { k1 }), ...(b !== undefined && { b }) }
    return createBm25Engine(await openDocuments(documents!), options)
  },
  'search-r1': (settings) => searchR1Engine(withoutKind(settings)),
  wiki: (settings) => wikiEngine(withoutKind(settings)),
  elasticsearch: (settings) => elasticsearchEngine(withoutKind(settings) as unknown as ElasticsearchOptions),
  google: (settings) => googleEngine(withoutKind(settings) as unknown as GoogleOptions),
  serpapi: (settings) => serpApiEngine(withoutKind(settings)),
}

const withoutKind = (settings: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(settings).filter(([key]) => key !== 'kind'))

/** `mini:test` are documents of the mini world; else it is a path. */
export function openDocuments(documents: string): Promise<CorpusDocument[]> {
  const split = MINI.exec(documents)?.[1]
  return split === undefined ? readDocuments(documents) : miniDocuments(split as Split)
}

/**
 * Opens the engine of some settings.
 * @param path Of the file, for errors.
 * @param open Opens the model of a simulator.
 */
export async function openEngine(path: string, settings: Settings, open: OpenModel = openModel): Promise<SearchEngine> {
  const kinds = Object.keys(ENGINES) as [string, ...string[]]
  const operation = `${path}: searchEngine`
  const { kind } = parseOptions(operation, z.object({ kind: z.enum(kinds) }), settings)
  return ENGINES[kind]!(settings, operation, open)
}
