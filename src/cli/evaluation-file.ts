import { z } from 'zod'
import { drawSubset } from '../dataset/draw-subset.js'
import type { SubsetOptions } from '../dataset/draw-subset.js'
import type { EvaluateOptions } from '../evaluation/evaluate-options.js'
import { readCommentedJson } from '../file/commented-json.js'
import type { LanguageModel } from '../language-model/language-model.js'
import { openAi } from '../language-model/open-ai.js'
import type { OpenAiOptions } from '../language-model/open-ai.js'
import { anObject, parseOptions } from '../schema/parse-options.js'
import type { SearchEngine } from '../search/search-engine.js'
import { checkMethod, openMethod } from './evaluation-methods.js'
import { localModelShape, name, openEngine, openModel, openQuestions, refuseKeys } from './named-inputs.js'
import type { ModelSettings, QuestionFile } from './named-inputs.js'

const modelSchema = z
  .strictObject({
    ...localModelShape,
    model: name.exactOptional(),
    server: anObject<OpenAiOptions>(
      'options of an OpenAI-compatible server, such as { model, baseUrl }',
    ).exactOptional(),
  })
  .refine(({ model, server }) => (model === undefined) !== (server === undefined), {
    path: ['model'],
    error: 'or server must be given, one of them',
  })

const question = z.union([name, anObject<QuestionFile>()], 'must be a name, a path, or an object with a path')

const fileSchema = z.strictObject({
  models: z.record(name, z.union([name, modelSchema])).default({}),
  searchEngines: z.record(name, anObject<Record<string, unknown>>('an object with its kind')).default({}),
  questions: z.union([name, z.array(question).min(1)], 'must be a text, or a list of texts or objects'),
  subset: anObject<SubsetOptions>().exactOptional(),
  methods: z.array(z.unknown()).min(1),
  saveTo: name.exactOptional(),
  resume: z.boolean().exactOptional(),
  overwrite: z.boolean().exactOptional(),
  trajectories: z.boolean().exactOptional(),
  seed: z.int().exactOptional(),
  concurrency: z.int().min(1).exactOptional(),
  maxFailedShare: z.number().min(0).max(1).exactOptional(),
})

/**
 * Reads the file of an evaluation and opens what it names.
 * @param change Replaces settings of the file.
 */
export async function readEvaluationFile(
  path: string,
  change: Readonly<Record<string, unknown>> = {},
): Promise<EvaluateOptions> {
  const file = { ...(await readCommentedJson(path, 'evaluation configuration')), ...change }
  refuseKeys(path, file)
  const { models, searchEngines, questions: which, subset, methods, ...options } = parseOptions(path, fileSchema, file)
  const checked = methods.map((method, i) => checkMethod(`${path}: methods.${i}`, method))
  const all = await openQuestions(path, which, 'test')
  const questions = subset ? drawSubset(all, subset).questions : all

  const explain = (named: string, error: unknown): never => {
    const known = Object.keys(models).join(', ') || 'none'
    const which =
      named in models ? `models.${named}` : `${named} is none of models (${known}), and not to be had by its name`
    throw new Error(`${path}: ${which}: ${(error as Error).message}`, { cause: error })
  }
  const openModels = new Map<string, Promise<LanguageModel>>()
  const model = (named: string): Promise<LanguageModel> => {
    const given = models[named] ?? named
    const settings = typeof given === 'string' ? { model: given } : given
    const opened = openModels.get(named) ?? openAny(settings).catch((error: unknown) => explain(named, error))
    openModels.set(named, opened)
    return opened
  }
  const openEngines = new Map<string, Promise<SearchEngine>>()
  const searchEngine = (named: string): Promise<SearchEngine> => {
    const settings = searchEngines[named]
    if (!settings) {
      const known = Object.keys(searchEngines).join(', ') || 'none'
      throw new Error(`${path}: there is no search engine ${named} in searchEngines, which has ${known}`)
    }
    // A simulator may be one of the models above.
    const open = (one: ModelSettings): Promise<LanguageModel> =>
      one.model in models ? model(one.model) : openModel(one)
    const opened = openEngines.get(named) ?? openEngine(path, settings, open)
    openEngines.set(named, opened)
    return opened
  }
  try {
    const made = []
    // One after the other: each may load a model.
    for (const [i, settings] of checked.entries())
      made.push(await openMethod(`${path}: methods.${i}`, settings, { model, searchEngine }))
    return { ...options, methods: made, questions }
  } catch (error) {
    for (const opened of openModels.values()) dispose(await opened.catch(() => undefined))
    throw error
  }
}

const openAny = async ({ server, model, ...loading }: z.output<typeof modelSchema>): Promise<LanguageModel> =>
  server ? openAi(server) : openModel({ ...loading, model: model! })

function dispose(model: unknown): void {
  if (typeof model === 'object' && model !== null && 'dispose' in model && typeof model.dispose === 'function')
    (model as { dispose(): void }).dispose()
}

/**
 * The options that `evaluate` takes, out of a configuration file: JSON in which comments and trailing commas may stand. Settings have
 * the names that `evaluate` has for them. Besides:
 * - `models`, by names of your own: what `loadModel` takes (a folder, a GGUF file, a name of the hub, `smollm2`), `mini:policy`, an
 *   object with `model`, `adapter`, `slots` and `contextLength`, or with a `server` that speaks OpenAI's protocol;
 * - `searchEngines`, by names of your own, each with its `kind` as in `readRunConfig`; of `bm25` `documents`, or the `index` that
 *   was saved;
 * - `methods`, a list: each has its `method` (`direct`, `cot`, `rag`, `ra-agent`, `search-o1`, `r1`, `search-r1`, `zerosearch`,
 *   `self-rag`, `retro-llm`, `rag-star`, `air-rag`, `deep-researcher`, `policy`), its `model`, its `searchEngine`, a `name` where two
 *   are of one kind, and options of the method; `fetchPage: true` reads pages of the web, `protocol` and `prompts` are `zerosearch` or
 *   `mini`, `reader` and `verifier` are models, `documents` is the corpus of `retro-llm`;
 * - `questions` are paths, names of the hub as `readQuestions` takes them, mini sets such as `mini-nq` or `mini-nq:validation`, or
 *   objects of a `path` and options of `readQuestions`; `subset` draws from them as `drawSubset` does.
 *
 * Keys come from the environment. Paths are relative to the working folder. `npx zerosearch evaluate config.json` runs the same
 * file.
 * @throws where the file is no JSON (with line and column), has an option that does not exist (with the nearest one), or what it
 * names cannot be opened
 * @example
 * const options = await zs.readEvaluationConfig('evaluation.json')
 * const scores = await zs.evaluate({ ...options, saveTo: 'results/first' })
 */
export const readEvaluationConfig = (path: string): Promise<EvaluateOptions> => readEvaluationFile(path)
