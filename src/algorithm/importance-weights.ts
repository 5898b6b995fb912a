/** Correction where sampler and trainer do not agree on log-probabilities: other precision, other code, older weights. */
export interface ImportanceOptions {
  /** One weight for each `token`, or one for a `sequence`: the product of those of its tokens. Default `token`. */
  level?: 'token' | 'sequence'
  /** Largest weight. Default 2, as in verl; TRL has 3. */
  max?: number
  /** Smallest weight. Default 0. */
  min?: number
  /** Weights outside become the bound (`truncate`), or 0, which leaves their tokens out (`mask`). Default `truncate`. */
  outside?: 'truncate' | 'mask'
}

/** e to the power of this is still far from float32's end; verl's bound. */
const MAX_DIFFERENCE = 20

/**
 * Truncated importance weights w = min(π_trainer / π_sampler, max), which multiply the policy loss
 * (Yao et al., "Your efficient RL framework secretly brings you off-policy RL training").
 *
 * As `compute_rollout_correction_weights` of verl 0.9.1 (`mask` with two bounds is its IcePop), and as the four
 * `vllm_importance_sampling_mode`s of TRL 1.16.0.
 * @param logprobs Under the trainer before its first step; a row for each trajectory, a value for each policy token.
 * @param samplerLogprobs As the sampler gave them.
 */
export function importanceWeights(
  logprobs: readonly (readonly number[])[],
  samplerLogprobs: readonly (readonly number[])[],
  { level = 'token', max = 2, min = 0, outside = 'truncate' }: ImportanceOptions = {},
): number[][] {
  const bounded = (difference: number): number => {
    const weight = Math.exp(Math.min(Math.max(difference, -MAX_DIFFERENCE), MAX_DIFFERENCE))
    if (outside === 'mask') return weight < min || weight > max ? 0 : weight
    return Math.min(Math.max(weight, min), max)
  }
  return logprobs.map((row, i) => {
    const differences = row.map((logprob, t) => logprob - samplerLogprobs[i]![t]!)
    if (level === 'token') return differences.map(bounded)
    const weight = bounded(differences.reduce((a, b) => a + b, 0))
    return row.map(() => weight)
  })
}

/** How far sampler and trainer disagree, over the policy tokens of a batch. */
export interface SamplerMismatch {
  /** Mean of log π_sampler − log π_trainer: an estimate (k1) of KL(sampler ‖ trainer), nats per token. */
  kl: number
  /** The estimate k3 of the same; never negative. */
  k3: number
  /** Largest difference of a token's log-probabilities. */
  maxDifference: number
}

/** As `compute_offpolicy_metrics` of verl 0.9.1 has `kl` and `k3_kl`; all are 0 where there is no token. */
export function samplerMismatch(
  logprobs: readonly (readonly number[])[],
  samplerLogprobs: readonly (readonly number[])[],
): SamplerMismatch {
  let [tokens, kl, k3, maxDifference] = [0, 0, 0, 0]
  logprobs.forEach((row, i) =>
    row.forEach((logprob, t) => {
      const ratio = logprob - samplerLogprobs[i]![t]!
      tokens++
      kl -= ratio
      k3 += Math.exp(ratio) - ratio - 1
      maxDifference = Math.max(maxDifference, Math.abs(ratio))
    }),
  )
  return { kl: kl / (tokens || 1), k3: k3 / (tokens || 1), maxDifference }
}
