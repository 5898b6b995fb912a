import { z } from 'zod'
import type { LocalModel } from '../language-model/local-model.js'
import { rewardWeightsSchema } from '../reward/reward.js'
import type { Reward, RewardWeights } from '../reward/reward.js'
import { zerosearchProtocol } from '../rollout/protocol.js'
import type { Protocol } from '../rollout/protocol.js'
import { aFunction, anAbortSignal, anObject, parseOptions } from '../schema/parse-options.js'
import type { Question } from '../schema/question.js'
import { questionSchema } from '../schema/record-schemas.js'
import type { Trajectory } from '../schema/trajectory.js'
import type { Metrics, UpdateRecord } from '../schema/update-record.js'
import type { SearchEngine } from '../search/search-engine.js'
import { MANIFEST_KEYS } from './run-manifest.js'
import type { RunManifest } from './run-manifest.js'
import { plainCurriculum } from '../simulator/curriculum.js'
import { runConfigShape, wholeConfig } from './run-config.js'
import type { RunConfig } from './run-config.js'
import type { SaveEvery } from './run-saver.js'
import type { TrajectoryFormat } from './trajectory-files.js'

/** Settings that have no default. */
type Needed = 'algorithm' | 'updates' | 'curriculum'

/** What a run does when a collapse seems to begin. */
export type OnCollapse = 'warn' | 'pause' | 'rollback'

/** Options of `train`: what a run is made of. Settings of `RunConfig` that have a default may be left out. */
export interface TrainOptions extends Pick<RunConfig, Needed>, Partial<Omit<RunConfig, Needed>> {
  /** Trained in place. */
  policy: LocalModel
  /** A simulator, for ZeroSearch; real engines ignore the curriculum. */
  searchEngine: SearchEngine
  /** Drawn in an order that the seed decides, each once before any is drawn again. */
  questions: readonly Question[]
  /** Prompt, tags and limits. Default: ZeroSearch's. */
  protocol?: Protocol
  /**
   * Reward of a trajectory: weights of named parts, such as `{ f1: 1, format: 0.2 }`, or a function of your own, which may be
   * async. Where it throws or gives no finite number, the rollout counts as failed. Default `{ f1: 1 }`, as in the paper.
   */
  reward?: Reward | RewardWeights
  /**
   * After each update; training waits for it. An object that it returns is the record's `metrics`, such as
   * `{ validationEm: 0.5 }`. An error in it ends the run, which is saved with this update.
   */
  onUpdate?: (
    record: UpdateRecord,
    trajectories: readonly Trajectory[],
  ) => Metrics | undefined | Promise<Metrics | undefined>
  /**
   * Folder in which the run is kept, from time to time and when it ends, also by the stop button or an error: the policy
   * as a model folder, the records, and what it takes to go on; the run as it was saved before that is in `previous`.
   * Default: the run is not kept.
   */
  saveTo?: string
  /**
   * How often the run is saved while it goes on, and so how much is lost when the process is killed: `{ minutes: 2 }`, at
   * the end of the update under way then, or `{ updates: 10 }`. Training waits meanwhile. Default `{ minutes: 2 }`.
   */
  saveEvery?: SaveEvery
  /**
   * Keeps every trajectory in the folder `trajectories` of the run, one file for each update, with its reward: lines of JSON,
   * or Parquet. `zs.readTrajectories` reads one update, pandas and DuckDB read all files together. Default: none are kept.
   */
  trajectories?: TrajectoryFormat
  /**
   * Keeps the policy of the best update in the folder `best` of the run, a model folder as `policy` is. The best is the one
   * with the highest value of this name: in what `onUpdate` returned, such as `'validationEm'`, else a field of its record or one
   * of its `measures`. Records measure their rollouts before the optimizer step, `onUpdate` sees the policy after it. The run is
   * saved whenever an update is better. Default: only the last policy is kept.
   */
  keepBest?: string
  /**
   * Writes each update's numbers to an event file in the folder `tensorboard` of the run, which
   * `tensorboard --logdir runs` shows while the run goes on. Weights & Biases has no format of its own here, for it reads this
   * one: `wandb sync --sync-tensorboard runs/first/tensorboard`. Default false.
   */
  tensorBoard?: boolean
  /**
   * Goes on with the run in `saveTo` as it was last saved, as if it had never stopped. Settings and inputs must be the same; `updates` may be
   * another number where no schedule depends on it so far. Default false.
   */
  resume?: boolean
  /** True replaces the run that is in `saveTo`; default false: it is refused. */
  overwrite?: boolean
  /**
   * Settings that may differ from the saved run's on `resume`, such as `['engine']` or `['learningRate']`. The result then
   * differs from that of a run that was never interrupted. Default none.
   */
  allowChanges?: readonly (keyof RunManifest)[]
  /**
   * What happens when a collapse seems to begin (`CollapseWarning`). `warn`: it is said, in the progress and in the records.
   * `pause`: the run also stops, as by the stop button, and `resume: true` goes on. `rollback`: weights and Adam's state go back
   * to the last checkpoint from before, and the run goes on with its further questions at half the learning rate, a
   * critic's too; for this it is saved every 3 updates. Where there is no such checkpoint, it pauses. Default `warn`.
   */
  onCollapse?: OnCollapse
  /** How often a run may go back before it pauses instead. Default 2. */
  maxRollbacks?: number
  /** Shows a bar with the time left, in a notebook with curves. Default true. */
  progress?: boolean
  /**
   * Stops the run: the promise rejects at once, an optimizer step under way ends in the background, and then the run is
   * saved. Default: the stop button of the notebook.
   */
  signal?: AbortSignal
}

/** Options with their defaults. */
export type CheckedOptions = Omit<RunConfig, 'microbatchTokens'> &
  Pick<
    TrainOptions,
    | 'microbatchTokens'
    | 'policy'
    | 'searchEngine'
    | 'questions'
    | 'onUpdate'
    | 'saveTo'
    | 'signal'
    | 'trajectories'
    | 'keepBest'
  > &
  Required<
    Pick<
      TrainOptions,
      | 'protocol'
      | 'reward'
      | 'saveEvery'
      | 'tensorBoard'
      | 'resume'
      | 'overwrite'
      | 'allowChanges'
      | 'onCollapse'
      | 'maxRollbacks'
      | 'progress'
    >
  >

const saveEverySchema: z.ZodType<SaveEvery> = z.union(
  [z.strictObject({ minutes: z.number().min(0) }), z.strictObject({ updates: z.int().min(1) })],
  'must be { minutes: 0 or more } or { updates: 1 or more }',
)

/** The algorithm decides which settings there are; a reward of weights and one of a function are checked each by its rules. */
const schema = (algorithm: unknown, reward: z.ZodType<Reward | RewardWeights>): z.ZodType<CheckedOptions, unknown> =>
  wholeConfig(
    z
      .strictObject({
        ...runConfigShape(algorithm),
        policy: anObject<LocalModel>('a model of loadModel', ['start', 'save']),
        searchEngine: anObject<SearchEngine>('a search engine', ['search']),
        questions: z.array(questionSchema).min(1),
        protocol: anObject<Protocol>('a protocol', ['prompt', 'observation']).default(zerosearchProtocol),
        reward: reward.default({ f1: 1 }),
        onUpdate: aFunction<NonNullable<TrainOptions['onUpdate']>>().exactOptional(),
        saveTo: z.string().min(1).exactOptional(),
        saveEvery: saveEverySchema.default({ minutes: 2 }),
        trajectories: z.enum(['jsonl', 'parquet']).exactOptional(),
        keepBest: z.string().min(1).exactOptional(),
        tensorBoard: z.boolean().default(false),
        resume: z.boolean().default(false),
        overwrite: z.boolean().default(false),
        allowChanges: z.array(z.enum(MANIFEST_KEYS)).default([]),
        onCollapse: z.enum(['warn', 'pause', 'rollback']).default('warn'),
        maxRollbacks: z.int().min(1).default(2),
        progress: z.boolean().default(true),
        signal: anAbortSignal().exactOptional(),
      })
      .refine(({ resume, saveTo }) => !resume || saveTo !== undefined, {
        path: ['saveTo'],
        error: 'must name the folder of the run to resume',
      })
      .refine(
        ({ trajectories, keepBest, tensorBoard, saveTo }) =>
          saveTo !== undefined || !(trajectories || keepBest || tensorBoard),
        {
          path: ['saveTo'],
          error: 'must name a folder for what trajectories, keepBest and tensorBoard keep',
        },
      )
      .refine(({ onCollapse, saveTo }) => onCollapse !== 'rollback' || saveTo !== undefined, {
        path: ['saveTo'],
        error: "must name a folder for the checkpoints of onCollapse: 'rollback'",
      }) as unknown as z.ZodType<CheckedOptions, unknown>,
  )

/** @throws {Error} on the first option that has no sense */
export function parseTrainOptions(options: TrainOptions): CheckedOptions {
  const { algorithm, reward } = (options as Partial<TrainOptions> | undefined) ?? {}
  const rewardSchema = typeof reward === 'function' ? aFunction<Reward>() : rewardWeightsSchema
  const checked = parseOptions('train', schema(algorithm, rewardSchema), options)
  // Questions are handed on as they are; what is saved and compared is plain data.
  return {
    ...checked,
    questions: [...options.questions],
    curriculum: plainCurriculum(checked.curriculum, checked.updates),
  }
}
