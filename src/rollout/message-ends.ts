import type { Trajectory } from '../schema/trajectory.js'

/**
 * Number of ids up to the end of each message of the policy, by the loss mask: observations lie between messages.
 * @throws where mask and messages do not agree, as in trajectories of methods that keep no ids
 */
export function messageEnds({ lossMask, turns }: Trajectory): number[] {
  const ends = lossMask.flatMap((mask, i) => (mask === 1 && lossMask[i + 1] !== 1 ? [i + 1] : []))
  if (ends.length === turns.length) return ends
  throw new Error(
    `replay: the trajectory's loss mask must show its ${turns.length} messages, got ${ends.length}; ` +
      'only trajectories of rollOut and rollOutMany can be replayed',
  )
}
