/**
 * How the tokens of a minibatch make one loss. `token`: all policy tokens count alike (DAPO; verl's `token-mean`, TRL's `bnpo`).
 * `sequence`: all trajectories do, each by its token mean (GRPO; `seq-mean-token-mean`, `grpo`). `constant`: a trajectory's
 * sum over a fixed length (Dr. GRPO; `seq-mean-token-sum-norm`, `dr_grpo`).
 */
export type LossAggregation = 'token' | 'sequence' | 'constant'

export interface LossShareOptions {
  aggregation: LossAggregation
  /** Of `constant`: the length that sums are divided by, such as the longest a response may be; 1 is a plain sum. */
  divisor?: number
  /**
   * Whether a trajectory without a policy token counts among the trajectories. Default `skip`, as in verl: it says
   * nothing. `count` is what TRL does.
   */
  emptySequences?: 'skip' | 'count'
}

/**
 * The share of one token of each trajectory in the loss of a minibatch: the loss is Σ share·token loss. Because it is a plain
 * sum, it can be accumulated over microbatches of any size. As `agg_loss` of verl 0.9.1.
 * @param tokens Number of policy tokens of each trajectory of the whole minibatch.
 * @throws {Error} where `constant` has no positive divisor
 */
export function lossShares(tokens: readonly number[], options: LossShareOptions): number[] {
  const { aggregation, divisor = 0, emptySequences = 'skip' } = options
  if (aggregation === 'constant' && !(divisor > 0)) {
    throw new Error(`loss shares: a constant aggregation needs a positive divisor, got ${options.divisor}`)
  }
  const all = tokens.reduce((a, b) => a + b, 0)
  const sequences = emptySequences === 'count' ? tokens.length : tokens.filter((count) => count > 0).length
  return tokens.map((count) => {
    if (count === 0) return 0
    if (aggregation === 'token') return 1 / all
    return 1 / (sequences * (aggregation === 'sequence' ? count : divisor))
  })
}
