import type { FailureCause } from './failure-summary.js'

/**
 * What one update of a training run measured: a batch of rollouts and the optimization on it. Means over trajectories leave
 * out those that failed, and are 0 where all did.
 */
export interface UpdateRecord {
  /** Number of the update, from 1. */
  update: number
  /** Mean reward of the batch's trajectories; in [0, 1] where it is F1 or EM. */
  reward: number
  /** Means of what each part of the reward adds to it, its weight in it; absent where the reward has no named parts. */
  rewardParts?: Record<string, number>
  /** Mean exact match of the batch's trajectories, in [0, 1]. */
  em: number
  /** Probability that the simulator was asked for noisy documents, in [0, 1]. */
  noiseThreshold: number
  /** Mean number of searches in a trajectory. */
  searchesPerQuestion: number
  /** Number of trajectories that were learned from: those that did not fail. */
  trajectories: number
  /** Number of rollouts that failed, of policy, search engine or reward. They are left out of every mean and of learning. */
  failed: number
  /** Why they failed, the commonest cause first; absent where none did. */
  failures?: FailureCause[]
  /** Why the batch taught nothing, where it held no evidence: no optimizer step was made, and nothing has changed. */
  skipped?: string
  /** Mean divergence from the reference policy, nats per policy token. */
  kl: number
  /** Loss before the optimizer step of the update. */
  loss: number
  /** Mean entropy of the sampling distribution, nats per policy token; absent where it was not computed. */
  entropy?: number
  /** Share of policy tokens whose probability ratio was clipped, in [0, 1]; 0 where a batch is one optimizer step. */
  clipFraction: number
  /**
   * Mean absolute difference between the log-probabilities that the sampler reported and those that the trainer computes
   * for the same tokens, in nats: rounding alone in float32, up to 1e-4; more where the trainer computes in bfloat16. Of the
   * tokens of the update's first optimizer step, for then the policy is the one that sampled. Absent where there was no token, and in records of earlier versions.
   */
  samplingLogprobDifferenceMean?: number
  /** The largest such difference. */
  samplingLogprobDifferenceMax?: number
  /** Global norm of the gradient before clipping. */
  gradNorm: number
  /**
   * What else the algorithm measured, by name: `maxRatio`, `minRatio`, `oldKl` (divergence from the policy before the batch),
   * `optimizerSteps`; the critic's `valueLoss`, `explainedVariance`, `valueClipFraction`, `criticGradNorm`; `klCoef` where it
   * adapts; `samplerKl` where sampler and trainer are compared.
   */
  measures?: Record<string, number>
  /** That of the optimizer step, warm-up and schedule included. */
  learningRate: number
  /** Number of groups that taught nothing: rewards all equal, or fewer than two trajectories that did not fail. */
  zeroVarianceGroups: number
  /** Share of trajectories that gave an answer, in [0, 1]. */
  answered: number
  /** Mean number of ids in a trajectory, prompt and observations included. */
  tokensPerTrajectory: number
  /** Wall time of the rollouts, in seconds, without `compileSeconds`. */
  rolloutSeconds: number
  /** Wall time of the optimization, in seconds, without `compileSeconds`. */
  updateSeconds: number
  /**
   * Wall time of functions of the engine that ran for the first time, and had to be traced or compiled for it, in seconds.
   * Most of it falls into a run's first updates.
   */
  compileSeconds: number
  /** What `onUpdate` returned; `validationEm` has a place in tables and curves. */
  metrics?: Metrics
}

/**
 * Measures of the user's own, by name. Any values: what JSON cannot hold is saved in a form of its own, or as a text that
 * describes it.
 */
export type Metrics = Record<string, unknown>
