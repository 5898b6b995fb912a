import { z } from 'zod'
import { readDocuments } from '../dataset/read-documents.js'
import { readQuestions } from '../dataset/read-questions.js'
import { readCommentedJson } from '../file/commented-json.js'
import { loadModel } from '../language-model/local-model.js'
import type { LocalModel, LocalModelOptions } from '../language-model/local-model.js'
import { openAi } from '../language-model/open-ai.js'
import type { OpenAiOptions } from '../language-model/open-ai.js'
import { MINI_DATASETS, miniCheckpoint, miniDocuments, miniQuestions } from '../mini/dataset.js'
import type { MiniDataset, Split } from '../mini/dataset.js'
import { miniProtocol } from '../mini/protocol.js'
import { miniSimulatorPrompt } from '../mini/simulator-prompt.js'
import { rewardWeightsSchema } from '../reward/reward.js'
import { zerosearchProtocol } from '../rollout/protocol.js'
import { anObject, parseOptions } from '../schema/parse-options.js'
import type { Question } from '../schema/question.js'
import { createBm25Engine } from '../search/bm25.js'
import { googleEngine, serpApiEngine } from '../search/google.js'
import type { GoogleOptions } from '../search/google.js'
import { elasticsearchEngine, searchR1Engine, wikiEngine } from '../search/retrieve-engines.js'
import type { ElasticsearchOptions } from '../search/retrieve-engines.js'
import type { SearchEngine } from '../search/search-engine.js'
import { zerosearchSimulatorPrompt } from '../simulator/prompts.js'
import { createSimulator } from '../simulator/simulator.js'
import type { FinetuneOptions } from '../train/finetune-options.js'
import { finetuneShape } from '../train/finetune-options.js'
import { ALGORITHM_NAMES, runConfigShape } from '../train/run-config.js'
import type { TrainOptions } from '../train/train-options.js'

/** A run as its file tells it. */
export type FileRun = { kind: 'train'; options: TrainOptions } | { kind: 'finetune'; options: FinetuneOptions }

export const name = z.string().min(1)
export const names = z.union([name, z.array(name).min(1)], 'must be a text, or a list of texts')

/** A model of this process, in any file. */
export const modelShape = {
  model: name,
  adapter: z
    .union([name, anObject<NonNullable<LocalModelOptions['adapter']>>()], 'must be settings, or a folder')
    .exactOptional(),
  slots: z.int().min(1).exactOptional(),
  contextLength: z.int().min(2).exactOptional(),
}

/** What every run's file may have. */
const common = {
  ...modelShape,
  saveTo: name.exactOptional(),
  saveEvery: anObject<{ minutes: number }>().exactOptional(),
  resume: z.boolean().exactOptional(),
  overwrite: z.boolean().exactOptional(),
  allowChanges: z.array(name).exactOptional(),
}

const trainFile = (algorithm: unknown) =>
  z.strictObject({
    ...runConfigShape(algorithm),
    ...common,
    searchEngine: anObject<Record<string, unknown>>('an object with its kind'),
    questions: names,
    protocol: z.enum(['zerosearch', 'mini']).default('zerosearch'),
    reward: rewardWeightsSchema.exactOptional(),
  })

const finetuneFile = z.strictObject({
  ...finetuneShape,
  ...common,
  algorithm: z.literal('sft'),
  examples: names,
  heldOut: z.union([z.number(), names], 'must be a share, a path, or a list of paths').exactOptional(),
})

/**
 * Reads the file of a run and opens what it names.
 * @param change Replaces settings of the file.
 * @throws where the file is no JSON, has an option that does not exist or has no sense, or something that it names cannot be
 * opened; the model is opened last
 */
export async function readRunFile(path: string, change: Readonly<Record<string, unknown>> = {}): Promise<FileRun> {
  const file = { ...(await readCommentedJson(path, 'run configuration')), ...change } as Record<string, unknown>
  refuseKeys(path, file)
  const algorithms = z.object({ algorithm: z.enum([...ALGORITHM_NAMES, 'sft']) })
  const { algorithm } = parseOptions(path, algorithms, file)
  // What is checked keeps no defaults: those are of `train` and `finetune`.
  const given = (keys: readonly string[]): Record<string, unknown> =>
    Object.fromEntries(Object.entries(file).filter(([key]) => !keys.includes(key)))
  if (algorithm === 'sft') {
    const run = parseOptions(path, finetuneFile, file)
    const settings = given(['algorithm', 'model', 'adapter', 'slots', 'contextLength'])
    return { kind: 'finetune', options: { ...settings, model: await openModel(run) } as unknown as FinetuneOptions }
  }
  const run = parseOptions(path, trainFile(algorithm), file)
  const settings = given(['model', 'adapter', 'slots', 'contextLength'])
  const opened = {
    questions: await openQuestions(path, run.questions),
    protocol: run.protocol === 'mini' ? miniProtocol : zerosearchProtocol,
    searchEngine: await openEngine(path, run.searchEngine),
    policy: await openModel(run),
  }
  return { kind: 'train', options: { ...settings, ...opened } as unknown as TrainOptions }
}

/** A key in a file would be kept, copied and shown. */
export function refuseKeys(path: string, value: unknown, field: readonly string[] = []): void {
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    if (/^api_?key$/i.test(key)) {
      throw new Error(
        `${path}: ${[...field, key].join('.')} must not be in a file; keys come from the environment, as OPENAI_API_KEY`,
      )
    }
    refuseKeys(path, inner, [...field, key])
  }
}

type ModelSettings = Pick<LocalModelOptions, 'adapter' | 'slots' | 'contextLength'> & { model: string }

const MINI = /^mini:(.*)$/

/** `mini:policy` is a model of the mini world; else it is a folder, a file or a name, as `loadModel` takes it. */
export function openModel({ model, adapter, slots, contextLength }: ModelSettings): Promise<LocalModel> {
  const own = MINI.exec(model)?.[1]
  return loadModel(own === undefined ? model : miniCheckpoint(own as 'policy'), {
    ...(adapter !== undefined && { adapter }),
    ...(slots !== undefined && { slots }),
    ...(contextLength !== undefined && { contextLength }),
  })
}

/** Names of mini sets, with a split behind a colon (`mini-nq:validation`; without one the training's), and paths. */
export async function openQuestions(path: string, which: string | readonly string[]): Promise<Question[]> {
  const all: Question[] = []
  for (const each of typeof which === 'string' ? [which] : which) {
    const [set, split = 'train'] = each.split(':') as [MiniDataset, Split?]
    all.push(...(MINI_DATASETS.includes(set) ? await miniQuestions(set, split) : await readQuestions(each)))
  }
  if (all.length === 0) throw new Error(`${path}: questions must name at least one question, got none`)
  return all
}

const simulatorFile = z
  .strictObject({
    kind: z.literal('simulator'),
    model: name.exactOptional(),
    adapter: common.adapter,
    slots: common.slots,
    contextLength: common.contextLength,
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

const bm25File = z.strictObject({ kind: z.literal('bm25'), documents: name })

type Open = (settings: Record<string, unknown>, operation: string) => SearchEngine | Promise<SearchEngine>

/** Every kind of engine that a file can name. Engines behind servers check their options themselves. */
const ENGINES: Readonly<Record<string, Open>> = {
  async simulator(settings, operation) {
    const { model, server, prompt, temperature, ...loading } = parseOptions(operation, simulatorFile, settings)
    const language = server ? openAi(server) : await openModel({ ...loading, model: model! })
    return createSimulator(language, {
      prompt: prompt === 'mini' ? miniSimulatorPrompt : zerosearchSimulatorPrompt,
      ...(temperature !== undefined && { temperature }),
    })
  },
  async bm25(settings, operation) {
    const { documents } = parseOptions(operation, bm25File, settings)
    const split = MINI.exec(documents)?.[1]
    return createBm25Engine(split === undefined ? await readDocuments(documents) : await miniDocuments(split as Split))
  },
  'search-r1': (settings) => searchR1Engine(withoutKind(settings)),
  wiki: (settings) => wikiEngine(withoutKind(settings)),
  elasticsearch: (settings) => elasticsearchEngine(withoutKind(settings) as unknown as ElasticsearchOptions),
  google: (settings) => googleEngine(withoutKind(settings) as unknown as GoogleOptions),
  serpapi: (settings) => serpApiEngine(withoutKind(settings)),
}

const withoutKind = (settings: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(settings).filter(([key]) => key !== 'kind'))

export function openEngine(path: string, settings: Record<string, unknown>): SearchEngine | Promise<SearchEngine> {
  const kinds = Object.keys(ENGINES) as [string, ...string[]]
  const operation = `${path}: searchEngine`
  const { kind } = parseOptions(operation, z.object({ kind: z.enum(kinds) }), settings)
  return ENGINES[kind]!(settings, operation)
}

/**
 * The options that `train` takes, out of a run's configuration file: JSON in which comments and trailing commas may stand.
 * Settings have the names that `train` has for them. Besides:
 * - `model`, with `adapter`, `slots` and `contextLength`, is the policy as `loadModel` takes it, or `mini:policy`;
 * - `questions` are paths, or mini sets such as `mini-nq` or `mini-nq:validation`;
 * - `searchEngine` has a `kind`: `simulator` (with a `model`, or a `server` that speaks OpenAI's protocol, and a `prompt`,
 *   `zerosearch` or `mini`), `bm25` (with `documents`, a path or `mini:train`), `search-r1`, `wiki`, `elasticsearch`,
 *   `google`, `serpapi` (with the options of these engines). Keys come from the environment;
 * - `protocol` is `zerosearch` or `mini`; `reward` weights of named parts.
 *
 * Paths are relative to the working folder. `npx zerosearch train config.json` runs the same file.
 * @throws where the file is no JSON (with line and column), has an option that does not exist (with the nearest one), or what it names cannot be opened
 * @example
 * const options = await zs.readRunConfig('run.json')
 * await zs.train({ ...options, updates: 10 })
 */
export async function readRunConfig(path: string): Promise<TrainOptions> {
  const run = await readRunFile(path)
  if (run.kind === 'train') return run.options
  run.options.model.dispose()
  throw new Error(`${path}: algorithm is sft; read it with readFinetuneConfig, for finetune`)
}

/**
 * The options that `finetune` takes, out of a run's configuration file whose `algorithm` is `sft`; else as `readRunConfig`.
 * `examples` and `heldOut` are paths, or a share.
 * @throws as `readRunConfig` does
 * @example
 * await zs.finetune(await zs.readFinetuneConfig('sft.json'))
 */
export async function readFinetuneConfig(path: string): Promise<FinetuneOptions> {
  const run = await readRunFile(path)
  if (run.kind === 'finetune') return run.options
  run.options.policy.dispose()
  throw new Error(`${path}: algorithm is ${run.options.algorithm}; read it with readRunConfig, for train`)
}
