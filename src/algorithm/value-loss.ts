import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'

type Tensor = TensorFlow.Tensor

/** Inputs of the value loss, one value per policy token [tokens]. */
export interface ValueLossInputs {
  /** Of the critic being trained; the only ones that carry a gradient. */
  values: Tensor
  /** Of the critic before the batch's first step. */
  oldValues: Tensor
  /** What should have been said (`generalizedAdvantages`). */
  returns: Tensor
  /** Share of each token in the loss (`lossShares`), 0 on padding. */
  share: Tensor
}

/**
 * Clipped value loss of PPO: ½·max((V − R)², (clip(V, V_old ± c) − R)²), with the share of bound tokens. As
 * `compute_value_loss` of verl 0.9.1, which has it from TRL's PPO.
 * @param clip How far a value may move in one batch; `Infinity` for no bound.
 */
export function clippedValueLoss(
  { values, oldValues, returns, share }: ValueLossInputs,
  clip: number,
): { loss: Tensor; metrics: { valueClipped: Tensor } } {
  const error = values.sub(returns).square()
  const near = clip === Infinity ? values : values.minimum(oldValues.add(clip)).maximum(oldValues.sub(clip))
  const nearError = near.sub(returns).square()
  const loss = error.maximum(nearError).mul(share).sum().mul(0.5)
  return { loss, metrics: { valueClipped: nearError.greater(error).toFloat().mul(share.greater(0).toFloat()).sum() } }
}

/**
 * Share of the returns' variance that the critic explains: 1 − var(R − V) / var(R). 1 is perfect, 0 as good as a constant, and
 * below 0 worse. 0 where the returns do not vary.
 * @param values One for each policy token of a batch.
 */
export function explainedVariance(values: readonly number[], returns: readonly number[]): number {
  const variance = (of: readonly number[]): number => {
    const mean = of.reduce((a, b) => a + b, 0) / of.length
    return of.reduce((sum, value) => sum + (value - mean) ** 2, 0) / of.length
  }
  const total = returns.length === 0 ? 0 : variance(returns)
  return total === 0 ? 0 : 1 - variance(returns.map((value, i) => value - values[i]!)) / total
}
