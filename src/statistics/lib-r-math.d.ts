// The package's own types are not found by way of its `exports`.
declare module 'lib-r-math.js' {
  /** Probability of `x` successes of `n`. */
  export function dbinom(x: number, n: number, probability: number): number
  /** Probability of at most `q` successes of `n`. */
  export function pbinom(q: number, n: number, probability: number): number
  /** Of the standard normal: probability of at most `q`. */
  export function pnorm(q: number): number
  /** Of the standard normal: the value that is not exceeded with probability `p`. */
  export function qnorm(p: number): number
  /** Of Student's t with `df` degrees of freedom: the value that is not exceeded with probability `p`. */
  export function qt(p: number, df: number): number
}
