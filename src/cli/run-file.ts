import { z } from 'zod'
import { readCommentedJson } from '../file/commented-json.js'
import { miniProtocol } from '../mini/protocol.js'
import { rewardWeightsSchema } from '../reward/reward.js'
import { zerosearchProtocol } from '../rollout/protocol.js'
import { anObject, parseOptions } from '../schema/parse-options.js'
import type { FinetuneOptions } from '../train/finetune-options.js'
import { finetuneShape } from '../train/finetune-options.js'
import { ALGORITHM_NAMES, runConfigShape } from '../train/run-config.js'
import type { TrainOptions } from '../train/train-options.js'
import { localModelShape, name, openEngine, openModel, openQuestions, refuseKeys } from './named-inputs.js'

/** A run as its file tells it. */
export type FileRun = { kind: 'train'; options: TrainOptions } | { kind: 'finetune'; options: FinetuneOptions }

const names = z.union([name, z.array(name).min(1)], 'must be a text, or a list of texts')

/** What every run's file may have. */
const common = {
  ...localModelShape,
  model: name,
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
    questions: await openQuestions(path, run.questions, 'train'),
    protocol: run.protocol === 'mini' ? miniProtocol : zerosearchProtocol,
    searchEngine: await openEngine(path, run.searchEngine),
    policy: await openModel(run),
  }
  return { kind: 'train', options: { ...settings, ...opened } as unknown as TrainOptions }
}

/**
 * The options that `train` takes, out of a run's configuration file: JSON in which comments and trailing commas may stand.
 * Settings have the names that `train` has for them. Besides:
 * - `model`, with `adapter`, `slots` and `contextLength`, is the policy as `loadModel` takes it, or `mini:policy`;
 * - `questions` are paths, names of the hub as `readQuestions` takes them, or mini sets such as `mini-nq` or `mini-nq:validation`;
 * - `searchEngine` has a `kind`: `simulator` (with a `model`, or a `server` that speaks OpenAI's protocol, and a `prompt`,
 *   `zerosearch` or `mini`), `bm25` (with `documents`, a path or `mini:train`, or the `index` that was saved), `search-r1`, `wiki`, `elasticsearch`,
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
