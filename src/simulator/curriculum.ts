import { z } from 'zod'
import type { Quality } from '../schema/document.js'
import { uniform } from '../random/seeded-random.js'
import { aFunction, parseOptions } from '../schema/parse-options.js'

/**
 * The probability of noisy documents over training: a number that stays, growth from a start to an end, steps, or a function
 * of one's own.
 */
export type Curriculum = number | CurriculumGrowth | CurriculumSteps | ((progress: number) => number)

/** Noise that grows as in the paper, or falls where `end` is below `start`. */
export interface CurriculumGrowth {
  /** Probability at the first update, in [0, 1]. */
  start: number
  /** Probability at the last update, in [0, 1]. */
  end: number
  /** More than 0. Above 1 noise stays near `start` for longer, below 1 it comes early; 1 is a straight line. Default 4. */
  base?: number
}

/** Noise that jumps. */
export interface CurriculumSteps {
  /** Probability at the first update, in [0, 1]. */
  start: number
  /** Each `threshold` holds from the update where the share `at` of them is done, in [0, 1] and in their order. */
  steps: readonly {
    /** Share of the training after which it begins, in [0, 1]. */
    at: number
    /** Probability of noisy documents from there on. */
    threshold: number
  }[]
}

const PROBABILITY = 'must be a probability in [0, 1]'
const probability = z.number(PROBABILITY).min(0, PROBABILITY).max(1, PROBABILITY)
const BASE = 'must be more than 0; 1 is a straight line'
const FORMS = 'must be a probability, { start, end, base }, { start, steps: [{ at, threshold }] } or a function'

const step = z.strictObject({ at: z.number().min(0).max(1), threshold: probability })
const inOrder = (steps: readonly { at: number }[]): boolean =>
  steps.every(({ at }, i) => i === 0 || at > steps[i - 1]!.at)

/** Rules of a curriculum. */
export const curriculumSchema: z.ZodType<Curriculum> = z.union(
  [
    probability,
    z.strictObject({ start: probability, end: probability, base: z.number().gt(0, BASE).exactOptional() }),
    z.strictObject({ start: probability, steps: z.array(step).refine(inOrder, 'must be in the order of their `at`') }),
    aFunction<(progress: number) => number>(),
  ],
  FORMS,
)
const place = z.object({ update: z.int().min(0), updates: z.int().min(1) })
const draw = z.object({ threshold: probability, seed: z.int(), search: z.int().min(0) })

/**
 * Probability of noise at an update. As in the paper it is start + (base^x − 1)/(base − 1) · (end − start), x the share of
 * updates done (arXiv 2505.04588, eq. 4).
 * @param update From 0.
 * @param updates Number of all updates.
 * @throws where a number is not what it must be
 * @example
 * zs.noiseThreshold({ start: 0, end: 0.75 }, 100, 201) // 0.25: half of the way, a third of the growth
 * zs.noiseThreshold({ start: 0, steps: [{ at: 0.5, threshold: 0.4 }] }, 100, 201) // 0.4
 */
export function noiseThreshold(curriculum: Curriculum, update: number, updates: number): number {
  const checked = parseOptions('curriculum', z.object({ curriculum: curriculumSchema }), { curriculum }).curriculum
  parseOptions('curriculum', place, { update, updates })
  return thresholdAt(checked, progressOf(update, updates))
}

const progressOf = (update: number, updates: number): number => (updates > 1 ? Math.min(1, update / (updates - 1)) : 0)

function thresholdAt(curriculum: Curriculum, x: number): number {
  if (typeof curriculum === 'number') return curriculum
  if (typeof curriculum === 'function') {
    const threshold = curriculum(x)
    return parseOptions('curriculum', z.object({ threshold: probability }), { threshold }).threshold
  }
  if ('steps' in curriculum) return curriculum.steps.findLast(({ at }) => at <= x)?.threshold ?? curriculum.start
  const { start, end, base = 4 } = curriculum
  // Near a base of 1 the formula itself divides nothing by nothing.
  const growth = base === 1 ? x : Math.expm1(x * Math.log(base)) / Math.expm1(Math.log(base))
  return start + growth * (end - start)
}

/** A curriculum as plain data: of a function, what it gives for each update. */
export function plainCurriculum(curriculum: Curriculum, updates: number): Exclude<Curriculum, (x: number) => number> {
  if (typeof curriculum !== 'function') return curriculum
  const all = Array.from({ length: updates }, (_, update) => progressOf(update, updates))
  const [start, ...steps] = all.map((at) => ({ at, threshold: thresholdAt(curriculum, at) }))
  return { start: start!.threshold, steps }
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
