import { fromJson, toJson } from '../file/any-json.js'
import { errorMessage } from '../file/write-error.js'
import type { Metrics } from '../schema/update-record.js'

/** Characters of one update's metrics that are kept: a string of JavaScript has no room for much more. */
const LONGEST = 100_000_000

/**
 * What `onUpdate` returned, as a saved run will give it back: a resumed run's records are then those of an unbroken one,
 * and nothing that changes later changes them.
 * @returns undefined where it is no object, or cannot be recorded, which is said
 */
export function recordedMetrics(returned: unknown, update: number): Metrics | undefined {
  if (typeof returned !== 'object' || returned === null) return undefined
  try {
    const json = toJson(returned)
    const { length } = JSON.stringify(json)
    if (length > LONGEST) throw new Error(`they have ${length} characters as JSON, and at most ${LONGEST} are kept`)
    const metrics = fromJson(json)
    return isPlain(metrics) ? metrics : undefined
  } catch (error) {
    console.warn(`train: the metrics of update ${update} are left out of its record: ${errorMessage(error)}`)
    return undefined
  }
}

const isPlain = (value: unknown): value is Metrics =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
