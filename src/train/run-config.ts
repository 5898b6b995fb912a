import { z } from 'zod'
import { curriculumSchema } from '../simulator/curriculum.js'
import type { Curriculum } from '../simulator/curriculum.js'
import { createGrpo, grpoSettings } from './grpo.js'
import type { GrpoSettings } from './grpo.js'
import { learnerSettings } from './learner.js'
import type { Learner, LearnerSettings } from './learner.js'
import type { LearningRateSchedule } from './learning-rate.js'
import type { Trainable } from './loss-function.js'

/** The settings of a training run that are plain data: what it does is decided by them, its inputs and the seed. */
export interface RunConfig extends LearnerSettings, GrpoSettings {
  /** How the policy learns from a batch. */
  algorithm: 'grpo'
  /** Batches of rollouts; one optimizer step each. */
  updates: number
  /** The probability of noisy documents, update by update. A function is called for all of them when training begins. */
  curriculum: Curriculum
  /** Questions of a batch. Default 16. */
  questionsPerUpdate: number
  /** Trajectories of each question, at least 2. Default 5, as in the paper. */
  groupSize: number
  /** Full learning rate. Default 1e-6, as in the paper. Tiny models want several hundred times as much. */
  learningRate: number
  /**
   * Share of the updates over which the learning rate grows to its full value. Default 0.1 (the paper's 0.95 rarely
   * reaches it).
   */
  warmupRatio: number
  /** After the warm-up: `constant`, or `linear`, down towards 0 at the end. Default `constant`, as in the paper. */
  learningRateSchedule: LearningRateSchedule
  /** Documents of a search. Default 5. */
  topK: number
  /** Searches of a trajectory. Default: the protocol's. */
  maxSearches?: number
  /** The run stops where more than this share of a batch's rollouts failed, in [0, 1]. Default 0.5. */
  maxFailedShare: number
  /** Questions, draws and noise repeat for a seed. Default 0. */
  seed: number
}

const share = z.number().min(0).max(1)

/** Rules and defaults of `RunConfig`, from which the options' check, the run's manifest and the resume check come. */
export const runConfigShape = {
  algorithm: z.enum(['grpo']),
  updates: z.int().min(1),
  curriculum: curriculumSchema,
  questionsPerUpdate: z.int().min(1).default(16),
  groupSize: z.int().min(2).default(5),
  learningRate: z.number().positive().default(1e-6),
  warmupRatio: share.default(0.1),
  learningRateSchedule: z.enum(['constant', 'linear']).default('constant'),
  topK: z.int().min(1).default(5),
  maxSearches: z.int().min(0).exactOptional(),
  maxFailedShare: share.default(0.5),
  seed: z.int().default(0),
  ...learnerSettings,
  ...grpoSettings,
}

const runConfigSchema: z.ZodType<RunConfig, unknown> = z.object({ ...runConfigShape, microbatchTokens: z.int().min(1) })

/** The run's configuration among checked options. */
export const runConfigOf = (options: RunConfig): RunConfig => runConfigSchema.parse(options)

/** Every algorithm by its name. A further one adds its learner here and its settings above. */
const LEARNERS: Record<RunConfig['algorithm'], (policy: Trainable, config: RunConfig) => Promise<Learner>> = {
  grpo: createGrpo,
}

export const createLearner = (policy: Trainable, config: RunConfig): Promise<Learner> =>
  LEARNERS[config.algorithm](policy, config)
