import type { Trajectory } from '../../src/schema/trajectory.js'

/**
 * How far two plays of the same questions with the same seeds are apart: rollouts whose ids differ, and the largest
 * difference of a log-probability among the others.
 */
export function compareRollouts(
  expected: readonly Trajectory[],
  got: readonly Trajectory[],
): { different: number; logprobs: number } {
  let different = Math.abs(expected.length - got.length)
  let logprobs = 0
  for (const [i, a] of expected.entries()) {
    const b = got[i]
    if (!b) continue
    if (a.ids.join() !== b.ids.join() || a.lossMask.join() !== b.lossMask.join()) different++
    else a.logprobs.forEach((value, at) => (logprobs = Math.max(logprobs, Math.abs(value - b.logprobs[at]!))))
  }
  return { different, logprobs }
}
