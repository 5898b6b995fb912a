/** Ways to centre and scale the rewards of a group (trajectories of one question). */
export interface GroupAdvantageOptions {
  /** Divide by the group's standard deviation (GRPO, arXiv 2402.03300); false is Dr. GRPO. Default true. */
  scale?: boolean
  /** Added to the standard deviation; default 1e-4, as in TRL. */
  epsilon?: number
}

/**
 * Advantage of each trajectory within its group: reward minus the group's mean, over its sample standard deviation.
 * @param rewards One per trajectory.
 * @param groups The trajectory's group, by a name that is unique over data sets (question ids are).
 * @returns advantages, and how many groups had no variance and so teach nothing
 */
export function groupAdvantages(
  rewards: readonly number[],
  groups: readonly string[],
  options: GroupAdvantageOptions = {},
): { advantages: number[]; zeroVarianceGroups: number } {
  const { scale = true, epsilon = 1e-4 } = options
  if (rewards.length !== groups.length) {
    throw new Error(
      `group advantages: every reward needs a group, got ${rewards.length} rewards and ${groups.length} groups`,
    )
  }
  const members = new Map<string, number[]>()
  groups.forEach((group, i) => members.set(group, [...(members.get(group) ?? []), i]))
  const advantages = new Array<number>(rewards.length).fill(0)
  let zeroVarianceGroups = 0
  for (const indices of members.values()) {
    const own = indices.map((i) => rewards[i]!)
    const mean = own.reduce((a, b) => a + b, 0) / own.length
    const squares = own.reduce((sum, reward) => sum + (reward - mean) ** 2, 0)
    // The sample standard deviation, as torch.std gives it.
    const deviation = own.length > 1 ? Math.sqrt(squares / (own.length - 1)) : 0
    if (deviation < 1e-9) zeroVarianceGroups++
    for (const i of indices) advantages[i] = (rewards[i]! - mean) / (scale ? deviation + epsilon : 1)
  }
  return { advantages, zeroVarianceGroups }
}
