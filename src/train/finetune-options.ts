import { z } from 'zod'
import type { LocalModel } from '../language-model/local-model.js'
import { aFunction, anAbortSignal, anObject, parseOptions } from '../schema/parse-options.js'
import type { FinetuneRecord } from '../schema/finetune-record.js'
import type { LearningRateSchedule } from './learning-rate.js'
import { optimizerSettings } from './optimizer.js'
import type { OptimizerSettings } from './optimizer.js'
import type { Examples, ExampleSettings } from './prepare-examples.js'

/** The settings of a fine-tuning that are plain data: what it does is decided by them, its examples and its model. */
export interface FinetuneConfig extends OptimizerSettings, ExampleSettings {
  /** How often each example is seen; in a new order, which the seed decides, each time. Default 3. */
  epochs: number
  /** Examples of an optimizer step; the last one of an epoch may have fewer. Default 16. */
  batchSize: number
  /** Full learning rate. Default 2e-5; an adapter wants about ten times as much. */
  learningRate: number
  /** Share of the steps over which the learning rate grows to its full value. Default 0.1. */
  warmupRatio: number
  /** After the warm-up: `constant`, or `linear`, down towards 0 at the end. Default `linear`. */
  learningRateSchedule: LearningRateSchedule
  /** Steps from one measurement of the held-out loss to the next; there is one after the last step too. Default: an epoch's. */
  evaluateEvery?: number
  /**
   * Ends the run when the held-out loss has not fallen below its best so many times in a row. The model then has the weights of
   * the best one, also where the run reaches its end. Default: all steps are made, and the last weights stay.
   */
  patience?: number
  /** Several short examples share a row; they do not see each other. Losses and gradients are the same. Default false. */
  packing: boolean
  /**
   * Ids of a microbatch, padding included; memory grows with it. Default: 4096, or what fits into the memory that is free
   * when the run begins. A resumed run goes on with its own number.
   */
  microbatchTokens: number
  /** Compute matrix products in bfloat16; default true. */
  bfloat16: boolean
  /** Order of the examples and choice of the held-out ones repeat for a seed. Default 0. */
  seed: number
}

/** Options of `finetune`. Settings of `FinetuneConfig` have defaults. */
export interface FinetuneOptions extends Partial<FinetuneConfig> {
  /** Trained in place: all of its weights, or its adapter alone where it was loaded with one. */
  model: LocalModel
  /**
   * What is imitated: records of `messages`, of `prompt` and `completion`, or of ids (trajectories, as they are); or the
   * path of a JSONL or Parquet file of such records, or several paths.
   */
  examples: Examples
  /** Examples, or the share of `examples` between 0 and 1, on which the loss is measured and which are not learned from. */
  heldOut?: Examples | number
  /** After each step; training waits for it. An error in it ends the run, which is saved with this step. */
  onStep?: (record: FinetuneRecord) => void | Promise<void>
  /** As that of `train`: the folder in which the run is kept. Default: it is not kept. */
  saveTo?: string
  /** As that of `train`, in minutes or steps. Default `{ minutes: 2 }`. */
  saveEvery?: { minutes: number } | { steps: number }
  /** Goes on with the run in `saveTo` as it was last saved, as if it had never stopped. Default false. */
  resume?: boolean
  /** True replaces the run that is in `saveTo`; default false: it is refused. */
  overwrite?: boolean
  /** Settings and inputs that may differ from the saved run's on `resume`. Default none. */
  allowChanges?: readonly FinetuneKey[]
  /** Shows a bar with the time left. Default true. */
  progress?: boolean
  /** As that of `train`. Default: the stop button of the notebook. */
  signal?: AbortSignal
}

/** Options with their defaults. */
export type CheckedFinetune = Omit<FinetuneConfig, 'microbatchTokens'> &
  Pick<FinetuneOptions, 'microbatchTokens' | 'model' | 'examples' | 'heldOut' | 'onStep' | 'saveTo' | 'signal'> &
  Required<Pick<FinetuneOptions, 'saveEvery' | 'resume' | 'overwrite' | 'allowChanges' | 'progress'>>

const share = z.number().min(0).max(1)
const faultsSchema = z.enum(['throw', 'skip'])

/** Rules and defaults of `FinetuneConfig`. */
export const finetuneShape = {
  epochs: z.int().min(1).default(3),
  batchSize: z.int().min(1).default(16),
  learningRate: z.number().positive().default(2e-5),
  warmupRatio: share.default(0.1),
  learningRateSchedule: z.enum(['constant', 'linear']).default('linear'),
  evaluateEvery: z.int().min(1).exactOptional(),
  patience: z.int().min(1).exactOptional(),
  packing: z.boolean().default(false),
  microbatchTokens: z.int().min(1).exactOptional(),
  bfloat16: z.boolean().default(true),
  seed: z.int().default(0),
  assistantTurns: z.enum(['all', 'last']).default('all'),
  parseSpecialTokens: z.boolean().default(false),
  maxLength: z.int().min(2).exactOptional(),
  faults: faultsSchema.default('throw'),
  ...optimizerSettings,
}

/** Names that a refused resumption can name. */
export type FinetuneKey = keyof FinetuneConfig | 'adapter' | 'examples' | 'heldOut'
export const FINETUNE_KEYS = [...Object.keys(finetuneShape), 'adapter', 'examples', 'heldOut'] as FinetuneKey[]

const path = z.string().min(1)
const EXAMPLES = 'must be a list of examples, the path of a file of them, or a list of paths'
const examplesSchema = z.union([path, z.array(path).min(1), z.array(z.unknown()).min(1)], EXAMPLES)

const schema = z
  .strictObject({
    ...finetuneShape,
    model: anObject<LocalModel>('a model of loadModel', ['start', 'save']),
    examples: examplesSchema,
    heldOut: z
      .union([z.number().gt(0).lt(1), examplesSchema], `${EXAMPLES}, or a share between 0 and 1`)
      .exactOptional(),
    onStep: aFunction<NonNullable<FinetuneOptions['onStep']>>().exactOptional(),
    saveTo: path.exactOptional(),
    saveEvery: z
      .union(
        [z.strictObject({ minutes: z.number().min(0) }), z.strictObject({ steps: z.int().min(1) })],
        'must be { minutes: 0 or more } or { steps: 1 or more }',
      )
      .default({ minutes: 2 }),
    resume: z.boolean().default(false),
    overwrite: z.boolean().default(false),
    allowChanges: z.array(z.enum(FINETUNE_KEYS)).default([]),
    progress: z.boolean().default(true),
    signal: anAbortSignal().exactOptional(),
  })
  .refine(({ resume, saveTo }) => !resume || saveTo !== undefined, {
    path: ['saveTo'],
    error: 'must name the folder of the run to resume',
  })
  .refine(
    ({ heldOut, patience, evaluateEvery }) => heldOut !== undefined || (patience ?? evaluateEvery) === undefined,
    {
      path: ['heldOut'],
      error: 'must be given where patience or evaluateEvery is',
    },
  )

/** @throws {Error} on the first option that has no sense */
export function parseFinetuneOptions(options: FinetuneOptions): CheckedFinetune {
  const checked = parseOptions('finetune', schema, options)
  const { maxPositions } = checked.model.config
  const { maxLength = maxPositions } = checked
  if (maxLength > maxPositions) {
    throw new Error(
      `finetune: maxLength must be at most ${maxPositions}, the positions that the model was made for, got ${maxLength}`,
    )
  }
  return { ...checked, maxLength } as CheckedFinetune
}
