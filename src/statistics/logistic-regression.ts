/** One item's features: places of those that are not 0, and their values. */
export interface SparseRow {
  places: readonly number[]
  values: readonly number[]
}

/** A fitted classifier. */
export interface LogisticModel {
  /** One for each feature. */
  weights: Float64Array
  bias: number
}

const MOST_STEPS = 500
/** Steps end where no slope is steeper. */
const FLAT = 1e-5

/**
 * Fits the probability of label 1 by logistic regression with L2 regularisation: the minimum of the mean log-loss plus
 * `penalty / 2` times the squared weights (the bias is free). Nesterov's accelerated gradient, without randomness. Rows should
 * have a length of at most 1, for which the step is chosen.
 * @param features Number of features.
 */
export function fitLogistic(
  rows: readonly SparseRow[],
  labels: readonly (0 | 1)[],
  { features, penalty }: { features: number; penalty: number },
): LogisticModel {
  // The bias is one more feature of value 1, so a row's squared length is at most 2, and the curvature a quarter of that.
  const rate = 1 / (0.5 + penalty)
  let at = new Float64Array(features + 1)
  let ahead = at
  for (let step = 1; step <= MOST_STEPS; step++) {
    const slope = slopeAt(ahead, rows, labels, penalty)
    if (slope.every((value) => Math.abs(value) < FLAT)) {
      at = ahead
      break
    }
    const next = ahead.map((value, i) => value - rate * slope[i]!)
    const momentum = (step - 1) / (step + 2)
    ahead = next.map((value, i) => value + momentum * (value - at[i]!))
    at = next
  }
  return { weights: at.slice(0, features), bias: at[features]! }
}

/** The probability of label 1. */
export const probabilityOf = (row: SparseRow, { weights, bias }: LogisticModel): number =>
  sigmoid(product(row, weights) + bias)

function slopeAt(
  weights: Float64Array,
  rows: readonly SparseRow[],
  labels: readonly (0 | 1)[],
  penalty: number,
): Float64Array {
  const bias = weights.length - 1
  const slope = weights.map((value, i) => (i === bias ? 0 : penalty * value))
  rows.forEach((row, i) => {
    const miss = (sigmoid(product(row, weights) + weights[bias]!) - labels[i]!) / rows.length
    row.places.forEach((place, j) => (slope[place]! += miss * row.values[j]!))
    slope[bias]! += miss
  })
  return slope
}

function product({ places, values }: SparseRow, weights: Float64Array): number {
  let sum = 0
  for (let j = 0; j < places.length; j++) sum += weights[places[j]!]! * values[j]!
  return sum
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))
