import { uniform } from '../random/seeded-random.js'
import type { Interval } from './wilson-interval.js'

/** Options of the bootstraps. */
export interface BootstrapOptions {
  /** Number of resamples; default 2000. */
  resamples?: number
  /** Default 0. */
  seed?: number
  /** Share of resamples within the interval; default 0.95. */
  confidence?: number
  /** `sets`: the unweighted mean of the sets' means, as the paper averages; `questions`: the mean over all. Default `sets`. */
  meanOf?: 'sets' | 'questions'
}

/** A mean, and where it lies. */
export interface MeanInterval extends Interval {
  /** Mean of the sample itself. */
  mean: number
}

/**
 * Bootstrap of a mean over several sets, stratified: each resample draws as many questions of each set as it has, with
 * replacement. The interval holds the middle of the resamples' means (percentile method).
 * @param sets The values of each set, one a question.
 * @example
 * const em = (name: string) => scores.filter(({ dataset }) => dataset === name).map((score) => score.em)
 * const { mean, low, high } = zs.bootstrapMean([em('nq'), em('hotpotqa')])
 */
export function bootstrapMean(sets: readonly (readonly number[])[], options: BootstrapOptions = {}): MeanInterval {
  const { mean, means } = resample('bootstrapMean', sets, options)
  const tail = (1 - (options.confidence ?? 0.95)) / 2
  return { mean, low: quantile(means, tail), high: quantile(means, 1 - tail) }
}

/** A difference, where it lies, and how likely chance makes one as large. */
export interface DifferenceInterval extends Interval {
  /** Difference of the sample's means. */
  difference: number
  /** Two-sided: twice the share of resamples on the other side of 0, with one added to both counts. */
  pValue: number
}

/**
 * Bootstrap of the difference of two methods on the same questions: questions are drawn, and the difference of each stays
 * with it. Else as `bootstrapMean`.
 * @param sets For each set the first method's value less the second's, one a question.
 * @example
 * const { difference, low, high } = zs.bootstrapDifference([[1, 0, 0, -1, 1], [0, 0, 1]])
 */
export function bootstrapDifference(
  sets: readonly (readonly number[])[],
  options: BootstrapOptions = {},
): DifferenceInterval {
  const { mean, means } = resample('bootstrapDifference', sets, options)
  const tail = (1 - (options.confidence ?? 0.95)) / 2
  const atMost = means.filter((value) => value <= 0).length
  const atLeast = means.filter((value) => value >= 0).length
  const pValue = Math.min(1, (2 * (Math.min(atMost, atLeast) + 1)) / (means.length + 1))
  return { difference: mean, low: quantile(means, tail), high: quantile(means, 1 - tail), pValue }
}

function resample(
  operation: string,
  sets: readonly (readonly number[])[],
  { resamples = 2000, seed = 0, confidence = 0.95, meanOf = 'sets' }: BootstrapOptions,
): { mean: number; means: Float64Array } {
  if (sets.length === 0 || sets.some((set) => set.length === 0)) {
    throw new RangeError(`${operation}: there must be sets, each with at least one value; leave empty ones out`)
  }
  if (!Number.isInteger(resamples) || resamples < 100)
    throw new RangeError(`${operation}: resamples must be an integer of at least 100, got ${resamples}`)
  if (!(confidence > 0 && confidence < 1))
    throw new RangeError(`${operation}: confidence must lie between 0 and 1, got ${confidence}`)
  const total = sets.reduce((sum, set) => sum + set.length, 0)
  const weights = sets.map((set) => (meanOf === 'sets' ? 1 / sets.length : set.length / total))
  const draws = sets.map((set, i) => drawsOf(set, seed, i))
  const means = Float64Array.from({ length: resamples }, (_, r) =>
    draws.reduce((sum, draw, i) => sum + weights[i]! * draw(r), 0),
  )
  const mean = sets.reduce((sum, set, i) => sum + weights[i]! * meanOfValues(set), 0)
  return { mean, means: means.sort() }
}

/** The mean of a set's resample `r`. */
function drawsOf(values: readonly number[], seed: number, set: number): (r: number) => number {
  const distinct = [...new Set(values)].sort((a, b) => a - b)
  const n = values.length
  if (distinct.length === 1) return () => distinct[0]!
  if (distinct.length === 2) {
    // How often the larger of two values is drawn is binomial: one draw in the place of n.
    const [low, high] = distinct as [number, number]
    const cumulative = binomialCumulative(n, values.filter((value) => value === high).length / n)
    return (r) => low + ((high - low) * firstAtLeast(cumulative, uniform(seed, set, r))) / n
  }
  return (r) => {
    let sum = 0
    for (let i = 0; i < n; i++) sum += values[Math.floor(uniform(seed, set, r, i) * n)]!
    return sum / n
  }
}

/** P(X ≤ k) of Binomial(n, p) for each k, from its mode outward: no term leaves the range of doubles early. */
function binomialCumulative(n: number, p: number): Float64Array {
  const terms = new Float64Array(n + 1)
  const mode = Math.min(n, Math.floor((n + 1) * p))
  terms[mode] = 1
  for (let k = mode; k < n; k++) terms[k + 1] = (terms[k]! * (n - k) * p) / ((k + 1) * (1 - p))
  for (let k = mode; k > 0; k--) terms[k - 1] = (terms[k]! * k * (1 - p)) / ((n - k + 1) * p)
  let sum = 0
  for (let k = 0; k <= n; k++) terms[k] = sum += terms[k]!
  return terms.map((value) => value / sum)
}

/** The first place whose value is larger than `wanted`. */
function firstAtLeast(sorted: Float64Array, wanted: number): number {
  let low = 0
  let high = sorted.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! > wanted) high = middle
    else low = middle + 1
  }
  return low
}

/** Linear between neighbours, as numpy's and R's default. */
function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1)
  const below = Math.floor(place)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below]! + (place - below) * (sorted[above]! - sorted[below]!)
}

const meanOfValues = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length
