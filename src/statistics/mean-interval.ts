import { qt } from 'lib-r-math.js'
import type { Interval } from './wilson-interval.js'

/**
 * 95 % interval of the mean of a few values, such as those of several seeds, by Student's t. Of fewer than two values it is the
 * value itself: nothing is known of their spread.
 */
export function studentInterval(values: readonly number[]): Interval {
  const n = values.length
  const mean = values.reduce((a, b) => a + b, 0) / n
  if (n < 2) return { low: mean, high: mean }
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1)
  const half = qt(0.975, n - 1) * Math.sqrt(variance / n)
  return { low: mean - half, high: mean + half }
}
