import { z } from 'zod'
import type { Weights } from '../model/weights.js'
import type { Question } from '../schema/question.js'
import type { Trajectory } from '../schema/trajectory.js'
import type { UpdateRecord } from '../schema/update-record.js'
import type { ExaminedTrajectory } from './examine-trajectories.js'
import type { SamplingDifference } from './sampling-difference.js'
import { optimizerSettings } from './optimizer.js'
import type { OptimizerSettings } from './optimizer.js'

/** Trajectories of one question and what each was worth. Failed rollouts are not among them: they are no evidence. */
export interface Group {
  question: Question
  /** At least one. */
  trajectories: readonly Trajectory[]
  /** One for each trajectory. */
  rewards: readonly number[]
}

/** What one step measured, by the names that the record of an update has. */
export type LearnerStep = Pick<UpdateRecord, 'loss' | 'kl' | 'clipFraction' | 'gradNorm' | 'skipped' | 'measures'> &
  SamplingDifference

/** What a saved run keeps of a learner besides the policy. */
export interface LearnerState {
  /** By the name of their file: the variables themselves, so that a resumed run reads its values into them. */
  weights: Record<string, Weights>
  counters: Record<string, number>
}

/** A reinforcement learning algorithm with what it needs to go on. It changes the policy's weights in place. */
export interface Learner {
  /**
   * Learns from one batch of groups. A batch without evidence changes nothing: no weight, no momentum, no counter; the
   * result then says why in `skipped`.
   * @param rateFactor What a rate of the learner's own, as a critic's, is multiplied by: a half for each time that the run went
   * back. It is in `learningRate` already. Default 1.
   * @throws where loss or gradient is not finite; the weights are then those before the optimizer step that failed, and a batch
   * may have several
   */
  step(groups: readonly Group[], learningRate: number, rateFactor?: number): Promise<LearnerStep>
  /** After a step that failed: each trajectory of the batch alone, with the weights before it. Empty where none did. */
  examine(): Promise<ExaminedTrajectory[]>
  state(): LearnerState
  /** Takes on the counters of a saved state; whoever calls it then reads the values of `state().weights`. */
  restore(counters: LearnerState['counters']): Promise<void>
  /** Frees what the learner made; the policy stays. */
  dispose(): void
}

/** Settings of every learner. */
export interface LearnerSettings extends Pick<OptimizerSettings, 'maxGradNorm' | 'weightDecay' | 'optimizerStates'> {
  /** Temperature that trajectories are sampled at; log-probabilities are taken at it too. Default 1. */
  temperature: number
  /**
   * Ids of a microbatch, padding included; memory grows with it. Default: 4096, or what fits into the memory that is free
   * when the run begins (memory-model.ts). A resumed run goes on with its own number.
   */
  microbatchTokens: number
  /**
   * Matrix products of the optimization in bfloat16; old log-probabilities are then computed anew in bfloat16 as well.
   * Default false.
   */
  bfloat16: boolean
}

export const learnerSettings = {
  temperature: z.number().positive().default(1),
  maxGradNorm: optimizerSettings.maxGradNorm,
  weightDecay: optimizerSettings.weightDecay,
  optimizerStates: optimizerSettings.optimizerStates,
  microbatchTokens: z.int().min(1).exactOptional(),
  bfloat16: z.boolean().default(false),
}
