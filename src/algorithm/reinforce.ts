import { groupAdvantages } from './group-advantage.js'
import type { GroupOfOne } from './group-advantage.js'
import { whiten } from './whiten.js'
import type { WhitenOptions } from './whiten.js'

/**
 * Discounted sum of the rewards from each policy token on: G_t = r_t + γ·G_{t+1}, from one policy token to the next. An
 * observation between them neither discounts nor stops it: in verl before 0.9 (issue 7278) the reward was lost there.
 * @param rewards One for each policy token of a trajectory (`tokenRewards`).
 */
export function discountedReturns(rewards: readonly number[], gamma = 1): number[] {
  const returns = [...rewards]
  for (let t = returns.length - 2; t >= 0; t--) returns[t]! += gamma * returns[t + 1]!
  return returns
}

export interface ReinforcePlusPlusOptions extends WhitenOptions {
  /** Discount from one policy token to the next. Default 1. */
  gamma?: number
}

/**
 * Advantages of REINFORCE++ (arXiv 2501.03262): returns of each policy token, whitened over the policy tokens of the whole
 * batch. Needs no groups. As `compute_reinforce_plus_plus_outcome_advantage` of verl 0.9.1.
 * @param rewards A row for each trajectory with a value for each policy token, the divergence in them.
 */
export function reinforcePlusPlusAdvantages(
  rewards: readonly (readonly number[])[],
  { gamma = 1, ...options }: ReinforcePlusPlusOptions = {},
): number[][] {
  return whiten(
    rewards.map((row) => discountedReturns(row, gamma)),
    options,
  )
}

export interface ReinforcePlusPlusBaselineOptions extends WhitenOptions {
  /** `reward` (no baseline) as in verl, `zero` as TRL does for groups. Default `reward`: whitening centres it too. */
  groupOfOne?: GroupOfOne
}

/**
 * Advantages of REINFORCE++-baseline (arXiv 2501.03262): reward less the mean of its group, the same on each
 * policy token, whitened over the policy tokens of the whole batch. As
 * `compute_reinforce_plus_plus_baseline_outcome_advantage` of verl 0.9.1.
 * @param groups Rewards of the trajectories, group by group.
 * @param tokens Number of policy tokens of each trajectory, group by group.
 * @returns a row for each trajectory
 */
export function reinforcePlusPlusBaselineAdvantages(
  groups: readonly (readonly number[])[],
  tokens: readonly (readonly number[])[],
  { groupOfOne = 'reward', ...options }: ReinforcePlusPlusBaselineOptions = {},
): number[][] {
  const centred = groupAdvantages(groups, { scale: 'none', groupOfOne }).flat()
  const counts = tokens.flat()
  return whiten(
    centred.map((advantage, i) => new Array<number>(counts[i]!).fill(advantage)),
    options,
  )
}

/**
 * Advantages of plain REINFORCE as ZeroSearch's code has it (`compute_reinforce_outcome_advantage`, commit 2d4cdca): the sum of
 * a trajectory's rewards on each of its policy tokens, without baseline and normalisation. It is not REINFORCE++.
 * @param rewards A row for each trajectory with a value for each policy token, the divergence in them.
 */
export function reinforceAdvantages(rewards: readonly (readonly number[])[]): number[][] {
  return rewards.map((row) => {
    const sum = row.reduce((a, b) => a + b, 0)
    return row.map(() => sum)
  })
}
