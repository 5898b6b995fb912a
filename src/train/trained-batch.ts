import type { Trajectory } from '../schema/trajectory.js'
import type { Group } from './learner.js'
import type { Sequence } from './rows.js'

/** A trajectory as an update sees it. */
export interface TrainedSequence extends Sequence {
  /** Of the trained tokens, as the sampler gave them; NaN where it gave none, on tokens of an observation. */
  samplerLogprobs: number[]
  reward: number
}

/** A batch: its sequences in the order of their groups. */
export interface TrainedBatch {
  sequences: TrainedSequence[]
  /** Number of sequences of each group. */
  groupSizes: number[]
}

/** A trajectory as a sequence of which the policy's own tokens are trained; those of observations too, where they are not masked. */
export const sequenceOf = (
  { ids, lossMask, promptLength }: Pick<Trajectory, 'ids' | 'lossMask' | 'promptLength'>,
  maskObservations = true,
): Sequence => ({
  ids,
  trained: lossMask.flatMap((mask, place) =>
    mask === 1 || (!maskObservations && place >= promptLength) ? [place] : [],
  ),
})

export function trainedBatch(groups: readonly Group[], maskObservations = true): TrainedBatch {
  const sequences = groups.flatMap(({ trajectories, rewards }) =>
    trajectories.map((trajectory, i): TrainedSequence => {
      const sequence = sequenceOf(trajectory, maskObservations)
      const { logprobs, lossMask } = trajectory
      const samplerLogprobs = sequence.trained.map((place) => (lossMask[place] === 1 ? logprobs[place]! : NaN))
      return { ...sequence, samplerLogprobs, reward: rewards[i]! }
    }),
  )
  return { sequences, groupSizes: groups.map(({ trajectories }) => trajectories.length) }
}

/** Values of sequences, group by group. */
export function inGroups<T>(values: readonly T[], groupSizes: readonly number[]): T[][] {
  let next = 0
  return groupSizes.map((size) => values.slice(next, (next += size)))
}

/** Why a batch can teach nothing, if it can't. */
export function noEvidence(sequences: readonly Sequence[]): string | undefined {
  if (sequences.length === 0) return 'no trajectory'
  return sequences.every(({ trained }) => trained.length === 0) ? 'no token of the policy' : undefined
}
