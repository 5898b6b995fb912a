import { z } from 'zod'
import { curriculumSchema } from '../simulator/curriculum.js'
import type { Curriculum } from '../simulator/curriculum.js'
import {
  createGrpo,
  createRloo,
  dapoSettings,
  drGrpoSettings,
  grpoAdvantages,
  grpoSettings,
  gspoSettings,
  rlooAdvantages,
  rlooSettings,
} from './grpo.js'
import type { GroupSettings } from './grpo.js'
import { learnerSettings } from './learner.js'
import type { Learner, LearnerSettings } from './learner.js'
import type { LearningRateSchedule } from './learning-rate.js'
import type { Trainable } from './loss-function.js'
import type { AdvantagesOf } from './policy-gradient.js'
import type { PolicySettings } from './policy-settings.js'
import { createPpo, ppoAdvantages, ppoSettings } from './ppo.js'
import type { PpoSettings } from './ppo.js'
import {
  createReinforce,
  createReinforcePlusPlus,
  createReinforcePlusPlusBaseline,
  plainAdvantages,
  plusPlusAdvantages,
  plusPlusBaselineAdvantages,
  reinforcePlusPlusBaselineSettings,
  reinforcePlusPlusSettings,
  reinforceSettings,
} from './reinforce.js'

/** How the policy learns from a batch. */
export type Algorithm =
  'grpo' | 'dr-grpo' | 'dapo' | 'gspo' | 'rloo' | 'ppo' | 'reinforce++' | 'reinforce++-baseline' | 'reinforce'

/**
 * The settings of a training run that are plain data: what it does is decided by them, its inputs and the seed. Those that an
 * algorithm does not have are refused.
 */
export interface RunConfig extends LearnerSettings, PolicySettings, GroupSettings, PpoSettings {
  /** How the policy learns from a batch. */
  algorithm: Algorithm
  /** Batches of rollouts. */
  updates: number
  /** The probability of noisy documents, update by update. A function is called for all of them when training begins. */
  curriculum: Curriculum
  /** Questions of a batch. Default 16. */
  questionsPerUpdate: number
  /**
   * Trajectories of each question, at least 2 where an algorithm compares them: all but PPO, REINFORCE++ and REINFORCE.
   * Default 5, as in the paper.
   */
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

type Create = (policy: Trainable, config: RunConfig) => Promise<Learner>

interface AlgorithmParts {
  settings: z.ZodRawShape
  create: Create
  advantages: AdvantagesOf<RunConfig>
  /** The least trajectories of a question. */
  leastGroupSize: number
}

/** Every algorithm: its settings, its learner, its advantages. A further one is added here. */
const ALGORITHMS: Record<Algorithm, AlgorithmParts> = {
  grpo: { settings: grpoSettings, create: createGrpo, advantages: grpoAdvantages, leastGroupSize: 2 },
  'dr-grpo': { settings: drGrpoSettings, create: createGrpo, advantages: grpoAdvantages, leastGroupSize: 2 },
  dapo: { settings: dapoSettings, create: createGrpo, advantages: grpoAdvantages, leastGroupSize: 2 },
  gspo: { settings: gspoSettings, create: createGrpo, advantages: grpoAdvantages, leastGroupSize: 2 },
  rloo: { settings: rlooSettings, create: createRloo, advantages: rlooAdvantages, leastGroupSize: 2 },
  ppo: { settings: ppoSettings, create: createPpo, advantages: ppoAdvantages, leastGroupSize: 1 },
  'reinforce++': {
    settings: reinforcePlusPlusSettings,
    create: createReinforcePlusPlus,
    advantages: plusPlusAdvantages,
    leastGroupSize: 1,
  },
  'reinforce++-baseline': {
    settings: reinforcePlusPlusBaselineSettings,
    create: createReinforcePlusPlusBaseline,
    advantages: plusPlusBaselineAdvantages,
    leastGroupSize: 2,
  },
  reinforce: { settings: reinforceSettings, create: createReinforce, advantages: plainAdvantages, leastGroupSize: 1 },
}

/** Names of all algorithms. */
export const ALGORITHM_NAMES = Object.keys(ALGORITHMS) as Algorithm[]

/** Where the algorithm is not known, GRPO's settings stand for it, and `algorithm` is what is refused. */
const algorithmOf = (algorithm: unknown): Algorithm => ALGORITHM_NAMES.find((name) => name === algorithm) ?? 'grpo'

/**
 * Rules and defaults of `RunConfig` for an algorithm, from which the options' check, the run's manifest and the resume check
 * come.
 */
export function runConfigShape(algorithm: unknown): z.ZodRawShape {
  const { settings, leastGroupSize } = ALGORITHMS[algorithmOf(algorithm)]
  return {
    algorithm: z.enum(ALGORITHM_NAMES),
    updates: z.int().min(1),
    curriculum: curriculumSchema,
    questionsPerUpdate: z.int().min(1).default(16),
    groupSize: z.int().min(leastGroupSize).default(5),
    learningRate: z.number().positive().default(1e-6),
    warmupRatio: share.default(0.1),
    learningRateSchedule: z.enum(['constant', 'linear']).default('constant'),
    topK: z.int().min(1).default(5),
    maxSearches: z.int().min(0).exactOptional(),
    maxFailedShare: share.default(0.5),
    seed: z.int().default(0),
    ...learnerSettings,
    ...settings,
  }
}

/** Names of the settings of all algorithms. */
export const RUN_CONFIG_KEYS = [
  ...new Set(ALGORITHM_NAMES.flatMap((name) => Object.keys(runConfigShape(name)))),
] as (keyof RunConfig)[]

/** What `RunConfig` asks of several settings together. */
export function wholeConfig<T extends Omit<RunConfig, 'microbatchTokens'>>(
  schema: z.ZodType<T, unknown>,
): z.ZodType<T, unknown> {
  const trajectories = (config: T): number => config.questionsPerUpdate * config.groupSize
  return schema
    .refine(({ minibatchTrajectories = 1, ...config }) => minibatchTrajectories <= trajectories(config as T), {
      path: ['minibatchTrajectories'],
      error: ({ input }) => `must be at most questionsPerUpdate times groupSize, ${trajectories(input as T)}`,
    })
    .refine(({ dualClip = Infinity, clip, clipHigh = clip }) => dualClip > 1 + clipHigh, {
      path: ['dualClip'],
      error: ({ input }) => {
        const { clip, clipHigh = clip } = input as T
        return `must be more than 1 + clipHigh, ${1 + clipHigh}`
      },
    })
    .refine(({ adaptiveKl, klIn }) => adaptiveKl === undefined || klIn === 'reward', {
      path: ['adaptiveKl'],
      error: "must be left out where klIn is 'loss'",
    })
}

/** The run's configuration among checked options. */
export const runConfigOf = (options: RunConfig): RunConfig =>
  z
    .object({ ...runConfigShape(options.algorithm), microbatchTokens: z.int().min(1) })
    .parse(options) as unknown as RunConfig

/** Advantages of a batch, as the algorithm's learner has them. */
export const advantagesOf: AdvantagesOf<RunConfig> = (rewards, config, values) =>
  ALGORITHMS[config.algorithm].advantages(rewards, config, values)

export const createLearner = (policy: Trainable, config: RunConfig): Promise<Learner> =>
  ALGORITHMS[config.algorithm].create(policy, config)
