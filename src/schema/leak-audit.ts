import type { Share } from './calibration.js'

/**
 * What a trajectory owes to the gold answer in the simulator's prompt. `leaked`: its answer stands in a document that it was shown, and in
 * none that engines without the gold answer give for its queries. `supported`: it stands in one of those too. `untold`: it stands in no
 * document that was shown. `unrewarded`: there is no reward to lose. `failed`: the rollout failed, or a counterfactual search.
 */
export type LeakVerdict = 'leaked' | 'supported' | 'untold' | 'unrewarded' | 'failed'

/** One trajectory of a leak audit. */
export interface AuditedTrajectory {
  /** `id` of the question. */
  questionId: string
  /** Name of its set. */
  dataset: string
  /** The question itself. */
  question: string
  /** What was answered. */
  answer: string | null
  /** The reward. */
  reward: number
  /** What was found. */
  verdict: LeakVerdict
  /** The query whose documents were the first to hold the answer. */
  query?: string
  /** The first document that held it. */
  document?: string
  /** Counterfactual documents that were looked at. */
  counterfactualDocuments: number
  /** Why it failed. */
  failure?: string
}

/** How much of the reward rests on gold answers that a simulator was told; see `auditLeaks`. */
export interface LeakAudit {
  /** Names of the engines that were asked without the gold answer. */
  without: string[]
  /** How often each of them was asked for each query. */
  samples: number
  /** Trajectories that leaked, of all that did not fail. */
  leaked: Share
  /** Trajectories that leaked, of those with a reward. */
  leakedOfRewarded: Share
  /** Mean reward of all that did not fail. */
  reward: number | null
  /** The same where leaked trajectories have a reward of 0: what remains at least. */
  rewardWithoutLeaked: number | null
  /** Every trajectory, in the order in which they were given. */
  trajectories: AuditedTrajectory[]
}
