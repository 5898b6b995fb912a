import { z } from 'zod'
import type { AdaptiveKlOptions } from '../algorithm/adaptive-kl.js'
import type { ImportanceOptions } from '../algorithm/importance-weights.js'
import type { KlEstimator } from '../algorithm/kl-estimate.js'
import type { LossAggregation } from '../algorithm/loss-share.js'
import type { RatioLevel } from '../algorithm/policy-loss.js'

/** Settings of the policy's update that every algorithm has; their defaults are the algorithm's. */
export interface PolicySettings {
  /** The probability ratio is clipped to at least 1 − this. Default 0.2; GSPO 3e-4. */
  clip: number
  /** And to at most 1 + this. Default: as `clip`; DAPO 0.28, GSPO 4e-4. */
  clipHigh?: number
  /** Largest ratio of a token with a negative advantage; more than 1 + `clipHigh`. Default none. */
  dualClip?: number
  /** What the ratio is of. Default `token`; GSPO `sequence`. */
  ratio: RatioLevel
  /** Weight of the divergence from the starting policy. Default 0.001, as in the paper; Dr. GRPO, DAPO and GSPO 0. */
  klCoef: number
  /**
   * Default `k3` in the loss and `k1` in the reward; REINFORCE++-baseline `k2`. In a loss, `k1` has no mean gradient: see
   * `KlEstimator`.
   */
  klEstimator: KlEstimator
  /** Largest `k3` of a token, as in verl and the paper's code; 1e9 is as good as none, which is what TRL has. Default 10. */
  klClamp: number
  /** Whether the divergence is part of the `loss` or of the `reward`. Default `loss`; PPO, RLOO and REINFORCE++ `reward`. */
  klIn: 'loss' | 'reward'
  /** Lets the weight of a divergence in the reward follow a target. Default: it stays. */
  adaptiveKl?: AdaptiveKlOptions
  /**
   * `token`: all policy tokens of a minibatch count alike; `sequence`: all trajectories do (GRPO's own mean); `constant`: a
   * trajectory's sum over `lossDivisor`. Default `token`; Dr. GRPO `constant`, GSPO `sequence`.
   */
  lossAggregation: LossAggregation
  /** Policy tokens that a trajectory's sum is divided by, where `lossAggregation` is `constant`. Default 1024. */
  lossDivisor: number
  /**
   * False trains the tokens of observations as if the policy had written them, and takes their divergence: what Search-R1
   * (arXiv 2503.09516) compares its retrieved-token mask with. Default true.
   */
  maskObservations: boolean
  /** How often a batch is gone through. Default 1. */
  epochs: number
  /** Trajectories of one optimizer step, drawn anew in each epoch. Default: all of the batch. */
  minibatchTrajectories?: number
  /**
   * How the reference policy's weights are kept: `bfloat16` takes half of the memory. The divergence then begins at that
   * of the rounding, which is 0 for a model that was published in bfloat16. Default `float32`.
   */
  reference: 'float32' | 'bfloat16'
  /** Corrects for a sampler whose log-probabilities are not the trainer's; these are then computed anew. Default none. */
  importanceCorrection?: ImportanceOptions
}

const positive = z.number().positive()

/** Rules of `PolicySettings`, with an algorithm's own defaults. */
export function policySettings(defaults: Partial<PolicySettings> = {}) {
  const { klIn = 'loss', clip = 0.2 } = defaults
  const clipHigh = positive.exactOptional()
  return {
    clip: positive.default(clip),
    clipHigh: defaults.clipHigh === undefined ? clipHigh : clipHigh.default(defaults.clipHigh),
    dualClip: z.number().gt(1).exactOptional(),
    ratio: z.enum(['token', 'sequence', 'trajectory']).default(defaults.ratio ?? 'token'),
    klCoef: z
      .number()
      .min(0)
      .default(defaults.klCoef ?? 0.001),
    klEstimator: z
      .enum(['k1', 'k2', 'k3', 'k1+', 'k3+'])
      .default(defaults.klEstimator ?? (klIn === 'loss' ? 'k3' : 'k1')),
    klClamp: positive.default(10),
    klIn: z.enum(['loss', 'reward']).default(klIn),
    adaptiveKl: z.strictObject({ target: positive, horizon: positive }).exactOptional(),
    lossAggregation: z.enum(['token', 'sequence', 'constant']).default(defaults.lossAggregation ?? 'token'),
    lossDivisor: positive.default(1024),
    maskObservations: z.boolean().default(true),
    epochs: z.int().min(1).default(1),
    minibatchTrajectories: z.int().min(1).exactOptional(),
    reference: z.enum(['float32', 'bfloat16']).default('float32'),
    importanceCorrection: z
      .strictObject({
        level: z.enum(['token', 'sequence']).exactOptional(),
        max: positive.exactOptional(),
        min: z.number().min(0).exactOptional(),
        outside: z.enum(['truncate', 'mask']).exactOptional(),
      })
      .exactOptional(),
  }
}
