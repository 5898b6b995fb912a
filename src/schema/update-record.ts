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
  /**
   * Share of the policy's turns that are a valid action, a search or an answer, in [0, 1]. As all fields that may be missing,
   * absent in records of earlier versions.
   */
  validActions?: number
  /** Number of searches that failed, or in whose answer no documents could be read. */
  searchFaults?: number
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
  /**
   * Entropy of the sampling distribution, nats per policy token: the mean of −log p of the tokens that were sampled, which is
   * right in the mean. Absent where there was no policy token.
   */
  entropy?: number
  /**
   * Log-likelihood of trajectories with a correct answer (exact match) under the policy that sampled them, nats per policy
   * token: the mean over trajectories. It falls, or stands still while the reward does, before GRPO collapses (arXiv
   * 2512.04220). Absent where there was none.
   */
  correctLogprobMean?: number
  /** That of the unlikely ones among them: a tenth lies below. */
  correctLogprobLow?: number
  /** The same of trajectories whose answer is wrong, or that have none. */
  incorrectLogprobMean?: number
  /** A tenth of them lies below. */
  incorrectLogprobLow?: number
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
  /** Number of groups: questions that were asked, those of `samplingRounds` after the first included. */
  groups?: number
  /** `zeroVarianceGroups` of `groups`, in [0, 1]. Absent where a group is one trajectory. */
  zeroVarianceShare?: number
  /** Rounds of rollouts; more than one where groups that teach nothing were replaced (`RunConfig.samplingRounds`). */
  samplingRounds?: number
  /** Share of trajectories that gave an answer, in [0, 1]. */
  answered: number
  /** Mean number of ids in a trajectory, prompt and observations included. */
  tokensPerTrajectory: number
  /** Of these, mean number that the policy sampled. */
  policyTokensPerTrajectory?: number
  /** Of these, mean number in observations. */
  observationTokensPerTrajectory?: number
  /** Wall time of the rollouts, in seconds, without `compileSeconds`. */
  rolloutSeconds: number
  /** Of the rollouts, wall time in which a search was under way, compilation included. */
  searchSeconds?: number
  /** Of the rollouts, wall time of the rewards. */
  rewardSeconds?: number
  /** Wall time of the optimization, in seconds, without `compileSeconds`. */
  updateSeconds: number
  /**
   * Wall time of tracing and compiling the engine's functions for shapes that were new, in seconds. Most of it falls into a
   * run's first updates.
   */
  compileSeconds: number
  /** Ids of all trajectories, prompts and observations included, per second of rollouts and optimization. */
  tokensPerSecond?: number
  /** Most memory that the process had resident during the update, in bytes. */
  residentBytes?: number
  /** What looked like the beginning of a collapse, as long as it did; absent where nothing did. */
  warnings?: CollapseWarning[]
  /**
   * The update after which the policy was as it is again now: after this record the run went back to it (`onCollapse`), at half
   * the learning rate.
   */
  rolledBackTo?: number
  /** What `onUpdate` returned; `validationEm` has a place in tables and curves. */
  metrics?: Metrics
}

/** A sign of a collapse in a run's records: what was seen, and what to try. */
export interface CollapseWarning {
  /** The record's field that says so. */
  metric: string
  /** The first update of those that look bad. */
  since: number
  /** What is seen now: of the last updates together. */
  now: number
  /** What it was when it was good. */
  before: number
  /** What was seen, as a sentence. */
  message: string
  /** What to try. */
  remedy: string
}

/** A warning as one sentence. */
export const warningText = ({ message, remedy }: CollapseWarning): string => `${message}; try: ${remedy}`

/** Fields that a clock or the machine decides: all others are the same in each run of one configuration and seed. */
export const MACHINE_FIELDS = [
  'rolloutSeconds',
  'searchSeconds',
  'rewardSeconds',
  'updateSeconds',
  'compileSeconds',
  'tokensPerSecond',
  'residentBytes',
] as const satisfies readonly (keyof UpdateRecord)[]

/**
 * Measures of the user's own, by name. Any values: what JSON cannot hold is saved in a form of its own, or as a text that
 * describes it.
 */
export type Metrics = Record<string, unknown>
