import { spreadOf } from './spread.js'
import type { Deviation } from './spread.js'

export interface WhitenOptions {
  /** False gives the mean back after scaling. Default true. */
  shiftMean?: boolean
  /** `sample` as in TRL and verl, `population` as in OpenRLHF. Default `sample`. */
  deviation?: Deviation
  /** Added to the variance. Default 1e-8, as in TRL and verl. */
  epsilon?: number
}

/**
 * Brings the policy's tokens of a whole batch to mean 0 and variance 1: (x − mean) / √(var + ε). Each token counts alike.
 * A single token becomes 0 (verl refuses it: its variance is not known).
 *
 * As `masked_whiten` of verl 0.9.1, which reads policy tokens alone; ZeroSearch's code whitens over observations too.
 * @param rows A row for each trajectory, with a value for each policy token; a trajectory without any has an empty row.
 */
export function whiten(rows: readonly (readonly number[])[], options: WhitenOptions = {}): number[][] {
  const { shiftMean = true, deviation = 'sample', epsilon = 1e-8 } = options
  const spread = spreadOf(rows.flat(), deviation)
  const scale = 1 / Math.sqrt(spread.deviation ** 2 + epsilon)
  return rows.map((row) => row.map((value) => (value - spread.mean) * scale + (shiftMean ? 0 : spread.mean)))
}
