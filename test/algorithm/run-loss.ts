// Losses on rows with a mask, as the libraries have them: only the policy's tokens go in, with padding behind them.
import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { clippedPolicyLoss } from '../../src/algorithm/policy-loss.js'
import type { PolicyLossOptions } from '../../src/algorithm/policy-loss.js'
import { clippedValueLoss } from '../../src/algorithm/value-loss.js'
import { compile } from '../../src/tensor/compile.js'
import { float32, int32 } from '../../src/tensor/host-tensor.js'
import type { HostTensor } from '../../src/tensor/host-tensor.js'
import { tf } from '../../src/tensor/runtime.js'

type Rows = readonly (readonly number[])[]
type Tensor = TensorFlow.Tensor

const PADDING = 3

/** Values of the policy's tokens, then padding with what a model may say there. */
function gather(rows: Rows, mask: Rows, padding: number): HostTensor {
  const values = rows.flatMap((row, i) => row.filter((_, t) => mask[i]![t] === 1))
  return float32([...values, ...Array.from({ length: PADDING }, () => padding)])
}

/** Back to rows, zeros where the mask is 0. */
function scatter(values: ArrayLike<number>, mask: Rows): number[] {
  let next = 0
  return mask.flat().map((m) => (m === 1 ? values[next++]! : 0))
}

const perRow = (values: readonly number[], mask: Rows): Rows => mask.map((row, i) => row.map(() => values[i]!))

export interface PolicyLossRows {
  logprobs: Rows
  oldLogprobs: Rows
  refLogprobs: Rows
  advantages: Rows
  weights: Rows
  mask: Rows
  /** Share of one token of each row. */
  shares: readonly number[]
  weighted?: boolean
}

type Sums = Record<'loss' | 'kl' | 'clipped' | 'oldKl' | 'maxRatio' | 'minRatio', number>

export async function policyLoss(
  { mask, shares, weighted = false, ...rows }: PolicyLossRows,
  options: PolicyLossOptions,
): Promise<Sums & { gradient: number[] }> {
  const sequences = mask.flatMap((row, i) => row.filter((m) => m === 1).map(() => i))
  const inputs = {
    logprobs: gather(rows.logprobs, mask, -5),
    oldLogprobs: gather(rows.oldLogprobs, mask, 0),
    refLogprobs: gather(rows.refLogprobs, mask, -9),
    advantages: gather(rows.advantages, mask, 3),
    weights: gather(rows.weights, mask, 2),
    share: gather(perRow(shares, mask), mask, 0),
    sequence: int32([...sequences, ...Array.from({ length: PADDING }, () => 0)]),
  }
  const run = compile<typeof inputs, null, Record<keyof Sums | 'gradient', Tensor>>(
    'policy loss',
    ({ weights, ...given }) => {
      const lossOf = (logprobs: Tensor): ReturnType<typeof clippedPolicyLoss> =>
        clippedPolicyLoss({ ...given, logprobs, ...(weighted && { weights }) }, options, mask.length)
      const { loss, metrics } = lossOf(given.logprobs)
      const gradient = tf.grad((logprobs) => lossOf(logprobs).loss)(given.logprobs)
      return { loss, gradient, ...metrics }
    },
  )
  const result = await run(inputs, null)
  run.dispose()
  const { gradient, ...sums } = result
  return {
    ...(Object.fromEntries(Object.entries(sums).map(([key, value]) => [key, value.data[0]!])) as Sums),
    gradient: scatter(gradient.data, mask),
  }
}

export async function valueLoss(
  { mask, shares, ...rows }: Record<'values' | 'oldValues' | 'returns' | 'mask', Rows> & { shares: readonly number[] },
  clip: number,
): Promise<{ loss: number; clipped: number; gradient: number[] }> {
  const inputs = {
    values: gather(rows.values, mask, 4),
    oldValues: gather(rows.oldValues, mask, 0),
    returns: gather(rows.returns, mask, 0),
    share: gather(perRow(shares, mask), mask, 0),
  }
  const run = compile<typeof inputs, null, Record<'loss' | 'clipped' | 'gradient', Tensor>>('value loss', (given) => {
    const lossOf = (values: Tensor): ReturnType<typeof clippedValueLoss> => clippedValueLoss({ ...given, values }, clip)
    const { loss, metrics } = lossOf(given.values)
    return { loss, clipped: metrics.valueClipped, gradient: tf.grad((values) => lossOf(values).loss)(given.values) }
  })
  const { loss, clipped, gradient } = await run(inputs, null)
  run.dispose()
  return { loss: loss.data[0]!, clipped: clipped.data[0]!, gradient: scatter(gradient.data, mask) }
}
