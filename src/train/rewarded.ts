import { rewardParts } from '../reward/reward.js'
import type { Reward, RewardWeights } from '../reward/reward.js'
import type { Trajectory } from '../schema/trajectory.js'
import { abortable } from '../signal/abortable.js'

/** A trajectory and its reward. Without a finite reward it is a failed one: nothing is known of its worth. */
export interface Rewarded {
  trajectory: Trajectory
  reward: number
  /** What each part adds to the reward, where it has several. */
  parts?: Record<string, number>
}

/**
 * Rewards all trajectories of a batch at once; those that failed before are not asked for.
 * @throws the signal's reason once it is given
 */
export async function rewardAll(
  trajectories: readonly Trajectory[],
  reward: Reward | RewardWeights,
  signal?: AbortSignal,
): Promise<Rewarded[]> {
  const rewardOf = typeof reward === 'function' ? asked(reward, signal) : summed(reward)
  return Promise.all(
    trajectories.map(async (trajectory) =>
      trajectory.stopReason === 'failed' ? { trajectory, reward: 0 } : rewardOf(trajectory),
    ),
  )
}

function summed(weights: RewardWeights): (trajectory: Trajectory) => Rewarded {
  return (trajectory) => {
    const parts = rewardParts(trajectory, weights)
    const values = Object.values(parts)
    const rewarded = { trajectory, reward: values.reduce((a, b) => a + b, 0) }
    return values.length > 1 ? { ...rewarded, parts } : rewarded
  }
}

/** By the user's own function, which gets a copy: what it does with it is no part of the run. */
function asked(reward: Reward, signal: AbortSignal | undefined): (trajectory: Trajectory) => Promise<Rewarded> {
  return async (trajectory) => {
    try {
      const answer = Promise.resolve(reward(structuredClone(trajectory), signal ? { signal } : {}))
      const value: unknown = await abortable(answer, signal)
      if (typeof value === 'number' && Number.isFinite(value)) return { trajectory, reward: value }
      throw new Error(`must be a finite number, got ${String(value)}`)
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      const message = error instanceof Error ? error.message : String(error)
      return {
        trajectory: { ...trajectory, stopReason: 'failed', failure: { boundary: 'reward', message } },
        reward: 0,
      }
    }
  }
}
