/** `sample` divides the squares by n − 1, `population` by n. */
export type Deviation = 'sample' | 'population'

export interface Spread {
  mean: number
  deviation: number
}

/** Mean and standard deviation; the deviation of fewer than two values is 0, and so is the mean of none. */
export function spreadOf(values: readonly number[], deviation: Deviation = 'sample'): Spread {
  if (values.length === 0) return { mean: 0, deviation: 0 }
  const mean = values.reduce((a, b) => a + b, 0) / values.length
  if (values.length === 1) return { mean, deviation: 0 }
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { mean, deviation: Math.sqrt(squares / (deviation === 'sample' ? values.length - 1 : values.length)) }
}
