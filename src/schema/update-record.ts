/** What one update of a training run measured: a batch of rollouts and the optimization on it. */
export interface UpdateRecord {
  /** Number of the update, from 1. */
  update: number
  /** Mean reward of the batch's trajectories, in [0, 1]. */
  reward: number
  /** Mean exact match of the batch's trajectories, in [0, 1]. */
  em: number
  /** Probability that the simulator was asked for noisy documents, in [0, 1]. */
  noiseThreshold: number
  /** Mean number of searches in a trajectory. */
  searchesPerQuestion: number
  /** Mean divergence from the reference policy, nats per policy token. */
  kl: number
  /** Loss after the last optimizer step of the update. */
  loss: number
  /** Mean entropy of the sampling distribution, nats per policy token; absent where it was not computed. */
  entropy?: number
  /** Share of policy tokens whose probability ratio was clipped, in [0, 1]. */
  clipFraction: number
  /** Global norm of the gradient before clipping. */
  gradNorm: number
  learningRate: number
  /** Number of groups whose rewards were all equal, so that they taught nothing. */
  zeroVarianceGroups: number
  /** Share of trajectories that gave an answer, in [0, 1]. */
  answered: number
  /** Mean number of ids in a trajectory, prompt and observations included. */
  tokensPerTrajectory: number
  /** Wall time of the rollouts, in seconds. */
  rolloutSeconds: number
  /** Wall time of the optimization, in seconds. */
  updateSeconds: number
  /** Exact match on validation questions, clean documents, in [0, 1]; present on the updates that were validated. */
  validationEm?: number
}
