import type { Quality } from '../schema/document.js'
import { uniform } from '../random/seeded-random.js'

/** How the probability of noisy documents grows over training. */
export interface Curriculum {
  /** Probability at the first update, in [0, 1]. */
  start: number
  /** Probability at the last update, in [0, 1]. */
  end: number
  /** Larger bases keep noise low for longer; 1 is a straight line. Default 4. */
  base?: number
}

/**
 * Probability of noise at an update: start + (base^x − 1)/(base − 1) · (end − start), x the share of updates done
 * (arXiv 2505.04588, eq. 4).
 * @param update From 0.
 */
export function noiseThreshold({ start, end, base = 4 }: Curriculum, update: number, updates: number): number {
  for (const [name, value] of Object.entries({ start, end })) {
    if (!(value >= 0 && value <= 1))
      throw new Error(`curriculum: ${name} must be a probability in [0, 1], got ${value}`)
  }
  if (!(base >= 1)) throw new Error(`curriculum: base must be at least 1, got ${base}`)
  const x = updates > 1 ? Math.min(1, update / (updates - 1)) : 0
  const progress = base === 1 ? x : (base ** x - 1) / (base - 1)
  return start + progress * (end - start)
}

/** Draws the quality for one search of one trajectory. */
export function drawQuality(threshold: number, seed: number, search: number): Quality {
  return uniform(seed, search, 0x6e6f69) < threshold ? 'noisy' : 'useful'
}
