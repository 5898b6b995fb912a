import { z } from 'zod'
import type { Trajectory } from '../schema/trajectory.js'
import { coverExactMatch, exactMatch, f1 } from './answer-metrics.js'
import { formatScore } from './format-score.js'
import { overlongPenalty } from './overlong-penalty.js'

/** What a reward function gets beside the trajectory. */
export interface RewardContext {
  /** Aborts when the run is stopped: for requests that a reward makes. */
  signal?: AbortSignal
}

/**
 * What a trajectory is worth: a finite number, now or later. All trajectories of a batch are asked for at once. Where it throws
 * or gives anything else, the rollout counts as failed, with the cause.
 */
export type Reward = (trajectory: Trajectory, context: RewardContext) => number | Promise<number>

/** A reward that is a sum of named parts, each times its weight; parts without one are left out. */
export interface RewardWeights {
  /** F1 of the answer, in [0, 1]: the paper's reward. */
  f1?: number
  /** Exact match. */
  em?: number
  /** Whether a gold answer is contained in the answer: what the paper's code calls exact match. Long answers please it. */
  coverEm?: number
  /** Share of the messages that have the protocol's shape (`formatScore`). */
  format?: number
  /** Penalty of trajectories in which the policy writes much. */
  length?: LengthPenalty
}

/** The soft overlong penalty of DAPO (`overlongPenalty`) on the tokens that the policy wrote itself. */
export interface LengthPenalty {
  /** From this many tokens on the penalty is whole. */
  maxTokens: number
  /** Over so many tokens before it, the penalty grows in a straight line. */
  buffer: number
  /** The whole penalty. Default 1. */
  weight?: number
}

const weight = z.number().exactOptional()

/** Rules of `RewardWeights`. */
export const rewardWeightsSchema: z.ZodType<RewardWeights> = z
  .strictObject({
    f1: weight,
    em: weight,
    coverEm: weight,
    format: weight,
    length: z
      .strictObject({ maxTokens: z.int().min(1), buffer: z.int().min(1), weight })
      .refine(({ maxTokens, buffer }) => buffer <= maxTokens, {
        path: ['buffer'],
        error: 'must be at most maxTokens',
      })
      .exactOptional(),
  })
  .refine((weights) => Object.keys(weights).length > 0, 'must have a weight for at least one part')

const PARTS: { [K in Exclude<keyof RewardWeights, 'length'>]-?: (trajectory: Trajectory) => number } = {
  f1: ({ answer, question }) => f1(answer, question.goldAnswers),
  em: ({ answer, question }) => exactMatch(answer, question.goldAnswers),
  coverEm: ({ answer, question }) => coverExactMatch(answer, question.goldAnswers),
  format: ({ turns }) => formatScore(turns.map((turn) => turn.text)),
}

/**
 * What each part adds to a trajectory's reward, its weight in it; the reward is their sum.
 * @example
 * zs.rewardParts(trajectory, { f1: 1, format: 0.2 }) // { f1: 0.5, format: 0.2 }
 */
export function rewardParts(trajectory: Trajectory, weights: RewardWeights): Record<string, number> {
  const { length, ...rest } = weights
  const parts: Record<string, number> = {}
  for (const [name, value] of Object.entries(rest)) {
    parts[name] = value * PARTS[name as keyof typeof PARTS](trajectory)
  }
  if (length) {
    const { maxTokens: maxLength, buffer, weight: factor = 1 } = length
    const tokens = trajectory.lossMask.reduce((a, b) => a + b, 0)
    parts['length'] = overlongPenalty(tokens, { maxLength, buffer, factor })
  }
  return parts
}
