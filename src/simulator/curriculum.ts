import { z } from 'zod'
import type { Quality } from '../schema/document.js'
import { uniform } from '../random/seeded-random.js'
import { parseOptions } from '../schema/parse-options.js'

/** How the probability of noisy documents grows over training, or falls where `end` is below `start`. */
export interface Curriculum {
  /** Probability at the first update, in [0, 1]. */
  start: number
  /** Probability at the last update, in [0, 1]. */
  end: number
  /** Larger bases keep noise near `start` for longer; 1 is a straight line, and the least. Default 4. */
  base?: number
}

const PROBABILITY = 'must be a probability in [0, 1]'
const probability = z.number(PROBABILITY).min(0, PROBABILITY).max(1, PROBABILITY)

export const curriculumSchema = z.strictObject({
  start: probability,
  end: probability,
  base: z.number().min(1).default(4),
})
const place = z.object({ update: z.int().min(0), updates: z.int().min(1) })
const draw = z.object({ threshold: probability, seed: z.int(), search: z.int().min(0) })

/**
 * Probability of noise at an update: start + (base^x − 1)/(base − 1) · (end − start), x the share of updates done
 * (arXiv 2505.04588, eq. 4).
 * @param update From 0.
 * @param updates Number of all updates.
 * @throws where a number is not what it must be
 * @example
 * zs.noiseThreshold({ start: 0, end: 0.75 }, 100, 201) // 0.25: half of the way, a third of the growth
 */
export function noiseThreshold(curriculum: Curriculum, update: number, updates: number): number {
  const { start, end, base } = parseOptions('curriculum', curriculumSchema, curriculum)
  parseOptions('curriculum', place, { update, updates })
  const x = updates > 1 ? Math.min(1, update / (updates - 1)) : 0
  const progress = base === 1 ? x : (base ** x - 1) / (base - 1)
  return start + progress * (end - start)
}

/**
 * Draws the quality for one search of one trajectory. The same numbers draw the same.
 * @param threshold Probability of `noisy`, in [0, 1].
 * @param seed That of the trajectory.
 * @param search From 0.
 * @throws where a number is not what it must be
 * @example
 * const quality = (search: number, seed: number) => zs.drawQuality(0.5, seed, search)
 * await zs.rollOut(policy, question, { searchEngine: simulator, quality })
 */
export function drawQuality(threshold: number, seed: number, search: number): Quality {
  parseOptions('draw quality', draw, { threshold, seed, search })
  return uniform(seed, search, 0x6e6f69) < threshold ? 'noisy' : 'useful'
}
