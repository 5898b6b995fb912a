import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'

type Tensor = TensorFlow.Tensor

/** Inputs of the policy loss, one value per trained token [tokens]. */
export interface PolicyLossInputs {
  /** Log-probabilities under the policy being trained; the only ones that carry a gradient. */
  logprobs: Tensor
  /** Under the policy that sampled. */
  oldLogprobs: Tensor
  /** Under the frozen reference. */
  refLogprobs: Tensor
  advantages: Tensor
  /** Share of each token in the loss; sums to 1 over the whole batch for a token mean, 0 on padding. */
  share: Tensor
}

export interface PolicyLossOptions {
  /** The ratio is clipped to [1 - clip, 1 + clip]. */
  clip: number
  /** Weight of the divergence from the reference. */
  klCoef: number
}

/**
 * Clipped policy-gradient loss with the k3 estimate of KL(policy ‖ reference) in the loss, as GRPO has it
 * (arXiv 2402.03300, eqs. 3 and 4): −min(r·A, clip(r)·A) + klCoef·(e^d − d − 1), d = ref − policy.
 */
export function clippedPolicyLoss(
  inputs: PolicyLossInputs,
  options: PolicyLossOptions,
): { loss: Tensor; metrics: { kl: Tensor; clipFraction: Tensor } } {
  const { advantages, share } = inputs
  const ratio = inputs.logprobs.sub(inputs.oldLogprobs).exp()
  const clipped = ratio.clipByValue(1 - options.clip, 1 + options.clip)
  const objective = ratio.mul(advantages).minimum(clipped.mul(advantages))
  const kl = k3(inputs.logprobs, inputs.refLogprobs)
  const loss = kl.mul(options.klCoef).sub(objective).mul(share).sum()
  const bound = clipped.mul(advantages).less(ratio.mul(advantages)).toFloat()
  return { loss, metrics: { kl: kl.mul(share).sum(), clipFraction: bound.mul(share).sum() } }
}

/** The k3 estimate of the divergence per token: never negative, unbiased (Schulman, "Approximating KL divergence"). */
export function k3(logprobs: Tensor, refLogprobs: Tensor): Tensor {
  const difference = refLogprobs.sub(logprobs)
  return difference.exp().sub(difference).sub(1)
}
