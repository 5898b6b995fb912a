import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { stopGradient } from '../tensor/ops.js'

type Tensor = TensorFlow.Tensor

/**
 * Estimates of KL(policy ‖ reference) from one sampled token (Schulman, "Approximating KL divergence"), with
 * d = log π_ref − log π: `k1` is −d (unbiased, of any sign), `k2` is d²/2 (biased, never negative), `k3` is e^d − d − 1
 * (unbiased, never negative).
 *
 * In a loss, only the gradient of `k2` is that of the divergence; the mean gradient of `k1` is 0. `k1+` and `k3+` have the
 * value of `k1` and `k3` and the gradient of `k2`, as in verl.
 */
export type KlEstimator = 'k1' | 'k2' | 'k3' | 'k1+' | 'k3+'

export interface KlOptions {
  /** Default `k3`, as in GRPO. */
  estimator?: KlEstimator
  /**
   * Largest value of `k3`; beyond it there is no gradient. Default 10, as in verl and ZeroSearch's code, for one improbable
   * token can outweigh a batch; `Infinity` is what TRL does.
   */
  clamp?: number
}

/** e to the power of this is still far from float32's end; verl's bound. */
const MAX_DIFFERENCE = 20

/**
 * Estimate for each token, with a gradient. As `kl_penalty` of verl 0.9.1; `k3` without a clamp as in `GRPOTrainer` of
 * TRL 1.16.0.
 * @param logprobs Of any shape.
 * @param refLogprobs Of the same.
 */
export function klPerToken(logprobs: Tensor, refLogprobs: Tensor, options: KlOptions = {}): Tensor {
  const { estimator = 'k3', clamp = 10 } = options
  const k1 = logprobs.sub(refLogprobs)
  if (estimator === 'k1') return k1
  const k2 = k1.square().mul(0.5)
  if (estimator === 'k2') return k2
  const value = estimator === 'k1+' ? k1 : k3(k1.neg(), clamp)
  return estimator === 'k3' ? value : k2.add(stopGradient(value.sub(k2)))
}

function k3(difference: Tensor, clamp: number): Tensor {
  const d = clamp === Infinity ? difference : difference.clipByValue(-MAX_DIFFERENCE, MAX_DIFFERENCE)
  const estimate = d.exp().sub(d).sub(1)
  return clamp === Infinity ? estimate : estimate.clipByValue(-clamp, clamp)
}

/** The same of plain numbers: a divergence in the reward has no gradient. */
export function klEstimates(
  logprobs: readonly number[],
  refLogprobs: readonly number[],
  { estimator = 'k3', clamp = 10 }: KlOptions = {},
): number[] {
  return logprobs.map((logprob, i) => {
    const k1 = logprob - refLogprobs[i]!
    if (estimator === 'k1' || estimator === 'k1+') return k1
    if (estimator === 'k2') return k1 ** 2 / 2
    const d = clamp === Infinity ? -k1 : Math.min(Math.max(-k1, -MAX_DIFFERENCE), MAX_DIFFERENCE)
    return Math.min(Math.exp(d) - d - 1, clamp)
  })
}
