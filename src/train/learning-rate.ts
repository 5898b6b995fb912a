/** How the learning rate goes on after the warm-up. */
export type LearningRateSchedule = 'constant' | 'linear'

interface LearningRateSettings {
  learningRate: number
  updates: number
  warmupRatio: number
  learningRateSchedule: LearningRateSchedule
}

/** The learning rate of an update (from 0). */
export function learningRateAt(settings: LearningRateSettings, update: number): number {
  const { learningRate, updates, warmupRatio, learningRateSchedule } = settings
  return learningRate * scheduleFactor(update, updates, warmupRatio, learningRateSchedule)
}

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
  const warmup = Math.max(1, warmupRatio * updates)
  if (update + 1 <= warmup) return (update + 1) / warmup
  return schedule === 'constant' ? 1 : (updates - update) / (updates - warmup + 1)
}
