import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { gatherRows, segmentSum, stopGradient } from '../tensor/ops.js'
import { tf } from '../tensor/runtime.js'
import { klPerToken } from './kl-estimate.js'
import type { KlOptions } from './kl-estimate.js'

type Tensor = TensorFlow.Tensor

/** Inputs of the policy loss, one value per policy token [tokens]; padding may follow. */
export interface PolicyLossInputs {
  /** Log-probabilities under the policy being trained; the only ones that carry a gradient. */
  logprobs: Tensor
  /** Under the policy before the batch's first step. */
  oldLogprobs: Tensor
  /** Under the frozen reference. */
  refLogprobs: Tensor
  advantages: Tensor
  /** Share of each token in the loss (`lossShares`), 0 on padding. */
  share: Tensor
  /** int32: which sequence of the microbatch each token belongs to, from 0. Needed unless `ratio` is `token`. */
  sequence?: Tensor
  /** What the policy's part of each token's loss is multiplied by (`importanceWeights`). Default 1. */
  weights?: Tensor
}

/**
 * What the probability ratio π/π_old is of: each `token` (PPO, GRPO); the `sequence`, as the geometric mean over its tokens
 * (GSPO, arXiv 2507.18071, eq. 7); or the `trajectory`, as the product over them (TRL's RLOO).
 */
export type RatioLevel = 'token' | 'sequence' | 'trajectory'

export interface PolicyLossOptions extends KlOptions {
  /** The ratio is clipped to [1 − clipLow, 1 + clipHigh]. */
  clipLow: number
  /** Larger than `clipLow` in DAPO (arXiv 2503.14476, eq. 10), so that rare tokens can gain. */
  clipHigh: number
  /**
   * A bad token (negative advantage) counts at most this ratio: dual clip (arXiv 1912.09729), more than 1 + clipHigh.
   * Default none, as in PPO, the reference and TRL (there `delta`); verl has 3.
   */
  dualClip?: number
  /** Default `token`. */
  ratio?: RatioLevel
  /** Weight of the divergence from the reference in the loss; 0 leaves it out. */
  klCoef: number
}

/** Sums over policy tokens, without a gradient: divide by their number, for microbatches are of unequal size. */
export interface PolicyLossMetrics extends Record<string, Tensor> {
  /** Of the estimated divergence from the reference. */
  kl: Tensor
  /** Of the tokens whose ratio was clipped, by either bound. */
  clipped: Tensor
  /** Of log π_old − log π: how far the policy has moved since the batch began. */
  oldKl: Tensor
  /** Largest ratio (no sum). */
  maxRatio: Tensor
  /** Smallest ratio (no sum). */
  minRatio: Tensor
}

/** e to the power of this is still far from float32's end; verl's bound. */
const MAX_LOG_RATIO = 20
/** verl's bound of a sequence's ratio. */
const MAX_LOG_SEQUENCE_RATIO = 10

/**
 * Clipped policy-gradient loss (PPO, arXiv 1707.06347, eq. 7; GRPO, arXiv 2402.03300, eq. 3, with the divergence in the loss):
 * Σ share·(−w·min(r·A, clip(r)·A) + klCoef·kl).
 *
 * As `compute_policy_loss_vanilla` and `compute_policy_loss_gspo` of verl 0.9.1 and `_compute_loss` of `GRPOTrainer` and
 * `RLOOTrainer` of TRL 1.16.0. They differ in the dual clip (none here unless asked for), in the bounds of ratio and k3
 * (verl's are taken: they keep a loss finite and change none that is sane), in how empty sequences count (`lossShares`), and,
 * where the tokens of one sequence have different advantages, in the gradient of a sequence's ratio (verl's is taken, the
 * GSPO-token of arXiv 2507.18071, eq. 14).
 * @param sequences Number of sequences that `inputs.sequence` speaks of; for `ratio` other than `token`.
 */
export function clippedPolicyLoss(
  inputs: PolicyLossInputs,
  options: PolicyLossOptions,
  sequences = 1,
): { loss: Tensor; metrics: PolicyLossMetrics } {
  const { logprobs, oldLogprobs, advantages, share } = inputs
  const { clipLow, clipHigh, dualClip, klCoef } = options
  const real = share.greater(0).toFloat()
  const ratio = probabilityRatio(inputs, options.ratio ?? 'token', real, sequences)
  const gain = ratio.mul(advantages)
  const clippedGain = ratio.clipByValue(1 - clipLow, 1 + clipHigh).mul(advantages)
  // For A ≥ 0 the ratio is bound by 1 + clipHigh already, so that the dual clip acts on A < 0 alone.
  const dualGain = dualClip === undefined ? gain : ratio.minimum(dualClip).mul(advantages)
  const objective = dualGain.minimum(clippedGain)
  const weighted = inputs.weights === undefined ? objective : objective.mul(inputs.weights)
  const kl = klPerToken(logprobs, inputs.refLogprobs, options)
  const loss = klCoef === 0 ? weighted.neg() : kl.mul(klCoef).sub(weighted)
  const metrics = {
    kl: kl.mul(real).sum(),
    clipped: objective.notEqual(gain).toFloat().mul(real).sum(),
    oldKl: oldLogprobs.sub(logprobs).mul(real).sum(),
    maxRatio: tf.max(ratio.mul(real)),
    minRatio: tf.min(ratio.add(real.neg().add(1).mul(Math.exp(MAX_LOG_RATIO)))),
  }
  return { loss: loss.mul(share).sum(), metrics }
}

/** π/π_old for each token. */
function probabilityRatio(
  { logprobs, oldLogprobs, sequence }: PolicyLossInputs,
  level: RatioLevel,
  real: Tensor,
  sequences: number,
): Tensor {
  const change = logprobs.sub(oldLogprobs)
  if (level === 'token') return change.clipByValue(-MAX_LOG_RATIO, MAX_LOG_RATIO).exp()
  if (sequence === undefined) throw new Error(`policy loss: a ratio of the ${level} needs \`sequence\`, got undefined`)
  const sums = segmentSum(change.mul(real), sequence, sequences)
  if (level === 'trajectory') return gatherRows(sums.clipByValue(-MAX_LOG_RATIO, MAX_LOG_RATIO).exp(), sequence)
  const means = gatherRows(sums.div(segmentSum(real, sequence, sequences).maximum(1)), sequence)
  // The value of the sequence's ratio, with the gradient of the token's.
  const logRatio = logprobs.add(stopGradient(means.sub(logprobs)))
  return logRatio.clipByValue(-MAX_LOG_RATIO, MAX_LOG_SEQUENCE_RATIO).exp()
}
