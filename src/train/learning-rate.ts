/** How the learning rate goes on after the warm-up. */
export type LearningRateSchedule = 'constant' | 'linear'

/**
 * Share of the full learning rate at an update: grows in a straight line over the warm-up, whose last update has all of it;
 * then stays, or falls in a straight line so that it would be 0 at the update after the last.
 * @param update From 0.
 * @param warmupRatio Share of the updates, in [0, 1].
 */
export function scheduleFactor(
  update: number,
  updates: number,
  warmupRatio: number,
  schedule: LearningRateSchedule = 'constant',
): number {
  if (!(warmupRatio >= 0 && warmupRatio <= 1))
    throw new Error(`learning rate: warmupRatio must be in [0, 1], got ${warmupRatio}`)
  const warmup = Math.max(1, warmupRatio * updates)
  if (update + 1 <= warmup) return (update + 1) / warmup
  return schedule === 'constant' ? 1 : (updates - update) / (updates - warmup + 1)
}
