import { z } from 'zod'
import { ragMethod } from '../evaluation/methods/rag.js'
import { searchO1Method } from '../evaluation/methods/search-o1.js'
import { searchR1Method } from '../evaluation/methods/search-r1.js'
import { zeroSearchMethod } from '../evaluation/methods/zerosearch.js'
import { readCommentedJson } from '../file/commented-json.js'
import type { LanguageModel } from '../language-model/language-model.js'
import { openAi } from '../language-model/open-ai.js'
import type { OpenAiOptions } from '../language-model/open-ai.js'
import { miniProtocol } from '../mini/protocol.js'
import { miniSimulatorPrompt } from '../mini/simulator-prompt.js'
import { temperatureSchema } from '../policy/sampling-options.js'
import { anObject, parseOptions } from '../schema/parse-options.js'
import { llmJudge } from '../simulator-data/judge.js'
import type { MetricJudge, TrajectoryJudge } from '../simulator-data/judge.js'
import { collectingShape } from '../simulator-data/options.js'
import type { PlayerMethod, SimulatorDataOptions } from '../simulator-data/options.js'
import { simulatorPrompt } from '../simulator/prompts.js'
import type { SimulatorPrompt, SimulatorPromptOptions } from '../simulator/prompts.js'
import { localModelShape, name, names, openEngine, openModel, openQuestions, refuseKeys } from './named-inputs.js'

const METHODS = {
  zerosearch: zeroSearchMethod,
  'search-r1': searchR1Method,
  'search-o1': searchO1Method,
  rag: ragMethod,
} as const

/** An LLM: in this process, or behind a server. */
const llmShape = {
  ...localModelShape,
  model: name.exactOptional(),
  server: anObject<OpenAiOptions>('options of an OpenAI-compatible server, such as { model, baseUrl }').exactOptional(),
}

const oneLlm = ({ model, server }: { model?: string; server?: unknown }): boolean =>
  (model === undefined) !== (server === undefined)
const ONE_LLM = { path: ['model'], error: 'or server must be given, one of them' }

const judgeFile = z.strictObject(llmShape).refine(oneLlm, ONE_LLM)

const dataFile = z
  .strictObject({
    ...collectingShape,
    ...llmShape,
    searchEngine: anObject<Record<string, unknown>>('an object with its kind'),
    questions: names,
    saveTo: name,
    method: z.enum(Object.keys(METHODS) as (keyof typeof METHODS)[]).default('zerosearch'),
    protocol: z.enum(['zerosearch', 'mini']).exactOptional(),
    temperature: temperatureSchema.default(1),
    judge: anObject<object>('a metric with its least value, or a judge’s model or server').exactOptional(),
    prompt: z
      .union([z.literal('mini'), anObject<SimulatorPromptOptions>()], 'must be mini, or options of a simulator prompt')
      .exactOptional(),
  })
  .refine(oneLlm, ONE_LLM)
  .refine(({ method, protocol }) => protocol !== 'mini' || method === 'zerosearch', {
    path: ['protocol'],
    error: 'must not be mini with another method than zerosearch',
  })

/**
 * Reads the file of a collection and opens what it names.
 * @param change Replaces settings of the file.
 * @throws as `readSimulatorDataConfig` does
 */
export async function readSimulatorDataFile(
  path: string,
  change: Readonly<Record<string, unknown>> = {},
): Promise<SimulatorDataOptions> {
  const file = { ...(await readCommentedJson(path, 'configuration of simulator data')), ...change }
  refuseKeys(path, file)
  const checked = parseOptions(path, dataFile, file)
  const { method, protocol, temperature, prompt, judge, questions, searchEngine } = checked
  const { model, server, adapter, slots, contextLength, ...collecting } = checked
  const loading = { adapter, slots, contextLength }
  const opened = {
    questions: await openQuestions(path, questions, 'train'),
    searchEngine: await openEngine(path, searchEngine),
    ...(judge && { judge: await openJudge(path, judge) }),
    ...(prompt !== undefined && { prompt: promptOf(prompt, checked.words) }),
    method: methodOf(method, protocol === 'mini', temperature),
    model: await openLlm({ ...loading, model, server }),
  }
  const { protocol: _, temperature: __, ...settings } = collecting
  return { ...settings, ...opened } as SimulatorDataOptions
}

function methodOf(name: keyof typeof METHODS, isMini: boolean, temperature: number): PlayerMethod {
  const sampling = { temperature, topP: 1, topK: 0 }
  return (model, { searchEngine }) =>
    isMini
      ? zeroSearchMethod(model, { searchEngine, sampling, protocol: miniProtocol })
      : METHODS[name](model, { searchEngine, sampling })
}

/** In SFT mode, where the file does not say otherwise: that is what the data is for. */
const promptOf = (prompt: 'mini' | SimulatorPromptOptions, words: number): SimulatorPrompt =>
  prompt === 'mini'
    ? miniSimulatorPrompt
    : simulatorPrompt({ mode: 'sft', ...(Number.isFinite(words) && { words }), ...prompt })

async function openJudge(path: string, judge: object): Promise<TrajectoryJudge | MetricJudge> {
  if ('metric' in judge) return judge as MetricJudge
  return llmJudge(await openLlm(parseOptions(`${path}: judge`, judgeFile, judge)))
}

type Llm = { [K in keyof Parameters<typeof openModel>[0]]?: Parameters<typeof openModel>[0][K] | undefined } & {
  server?: OpenAiOptions | undefined
}

async function openLlm({ server, model, ...loading }: Llm): Promise<LanguageModel> {
  if (server) return openAi(server)
  return openModel({ ...loading, model } as Parameters<typeof openModel>[0])
}

/**
 * The options that `buildSimulatorData` takes, out of a configuration file: JSON in which comments and trailing commas may
 * stand. Settings have the names that `buildSimulatorData` has for them. Besides:
 * - `model`, with `adapter`, `slots` and `contextLength`, or a `server` that speaks OpenAI's protocol, is the LLM that plays;
 * - `method` is `zerosearch`, `search-r1`, `search-o1` or `rag`, at a `temperature` (default 1); `protocol: 'mini'` is for the
 *   mini policies;
 * - `questions` and `searchEngine` are as `readRunConfig` has them;
 * - `judge` is `{ metric, atLeast }`, or an LLM's `{ model }` or `{ server }`;
 * - `prompt` is `mini`, or the options of `simulatorPrompt`, in SFT mode where they do not say otherwise.
 *
 * Paths are relative to the working folder. `npx zerosearch simulator-data config.json` runs the same file.
 * @throws where the file is no JSON, has an option that does not exist, or what it names cannot be opened
 * @example
 * await zs.buildSimulatorData(await zs.readSimulatorDataConfig('simulator-data.json'))
 */
export const readSimulatorDataConfig = (path: string): Promise<SimulatorDataOptions> => readSimulatorDataFile(path)
