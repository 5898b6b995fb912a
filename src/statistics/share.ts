import type { Share } from '../schema/calibration.js'
import { wilsonInterval } from './wilson-interval.js'

/** How many of how many, with its interval. */
export function shareOf(count: number, of: number): Share {
  if (of === 0) return { count, of, share: null, low: null, high: null }
  return { count, of, share: count / of, ...wilsonInterval(count / of, of) }
}
