import { hasVariance } from '../algorithm/group-advantage.js'
import type { PlayedBatch } from './probe.js'
import type { CheckedOptions } from './train-options.js'

/** What an update is expected to play and to learn from, in rollouts. */
export interface ExpectedSampling {
  /** Rollouts of each round: one, unless groups that teach nothing are replaced (`samplingRounds`). */
  rounds: number[]
  /** Trajectories that are learned from. */
  learned: number
}

/**
 * Of dynamic sampling each round asks for the groups that are missing still, of which the share of the probe's groups whose
 * rewards differ is expected to teach something. Where none of them do, all are learned from.
 */
export function expectedSampling(
  { questionsPerUpdate, groupSize, samplingRounds = 1 }: CheckedOptions,
  played: readonly Pick<PlayedBatch, 'groups' | 'count'>[],
): ExpectedSampling {
  const groups = played.flatMap((batch) => batch.groups)
  const rollouts = played.reduce((sum, { count }) => sum + count, 0)
  const whole = groups.reduce((sum, { trajectories }) => sum + trajectories.length, 0) / rollouts
  const informative = groups.filter(({ rewards }) => hasVariance(rewards)).length / (rollouts / groupSize)
  const all = questionsPerUpdate * groupSize
  const rounds = Array.from({ length: samplingRounds }, (_, round) => all * (1 - informative) ** round).filter(
    (expected) => expected > 0,
  )
  const asked = rounds.reduce((a, b) => a + b, 0)
  const learned = samplingRounds > 1 && informative > 0 ? informative * asked : asked
  return { rounds, learned: whole * learned }
}
