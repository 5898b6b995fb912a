import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { graphFunction } from '../tensor/graph-function.js'
import { addRows, gatherV2, rowsFrom, scatterAddValues } from '../tensor/ops.js'
import { tf } from '../tensor/runtime.js'
import type { Variable } from '../tensor/variable.js'
import { softCap } from './attend.js'
import type { ModelConfig } from './config.js'

type Tensor = TensorFlow.Tensor

/** Logits that exist at a time. */
export const BLOCK_BYTES = 16 * 2 ** 20

export interface TargetOptions {
  /** Number of the tokenizer's ids: rows of the head from here on have no probability. */
  vocabulary: number
  /** Logits are divided by it. */
  temperature: number
}

/** What gives logits, and what its gradient is added to; without one it is frozen. */
export interface Head {
  weight: Variable
  gradient?: Variable
}

/**
 * Log-probability of each target. Logits of one block of the vocabulary exist at a time, and are computed once more for
 * the gradient, which changes `head.gradient`.
 * @param hidden [targets, hidden], after the final norm
 * @param targets int32 [targets]
 * @returns [targets]
 */
export function targetLogprobs(
  config: ModelConfig,
  head: Head,
  hidden: Tensor,
  targets: Tensor,
  { vocabulary, temperature }: TargetOptions,
): Tensor {
  const count = targets.shape[0]
  const blocks = Math.ceil((4 * count * vocabulary) / BLOCK_BYTES)
  const width = Math.ceil(vocabulary / blocks)
  const sizes = new Map<number, Block>()
  const each = (visit: (block: Block, from: Tensor) => void): void => {
    for (let from = 0; from < vocabulary; from += width) {
      const size = Math.min(width, vocabulary - from)
      if (!sizes.has(size)) sizes.set(size, vocabularyBlock(config, size, temperature))
      visit(sizes.get(size)!, tf.scalar(from, 'int32'))
    }
  }
  const run = tf.customGrad((x, save) => {
    const rows = x as Tensor
    let sums: Sums = { largest: tf.fill([count], -1e30), total: tf.zeros([count]), target: tf.zeros([count]) }
    each(({ forward }, from) => (sums = forward({ hidden: rows, targets, from, ...sums }, head)))
    const normalizer = sums.largest.add(tf.log(sums.total))
    ;(save as (tensors: Tensor[]) => void)([rows, targets, normalizer])
    return {
      value: sums.target.sub(normalizer),
      gradFunc: (dy: Tensor, [hidden, targets, normalizer]: Tensor[]) => {
        let before: { dHidden?: Tensor } = {}
        each(({ backward }, from) => {
          const inputs = { hidden: hidden!, targets: targets!, normalizer: normalizer!, dy, from, ...before }
          before = backward(inputs, head)
        })
        return before.dHidden!
      },
    }
  })
  return run(hidden)
}

/** Over the vocabulary so far, for each target: the largest logit, the sum of e^(logit − largest), the target's logit. */
type Sums = Record<'largest' | 'total' | 'target', Tensor>
type Inputs = Record<'hidden' | 'targets' | 'from', Tensor>
type BackwardInputs = Inputs & Record<'normalizer' | 'dy', Tensor> & { dHidden?: Tensor }
type Block = ReturnType<typeof vocabularyBlock>

/** What is done with the logits of `width` ids from `from` on. */
function vocabularyBlock(config: ModelConfig, width: number, temperature: number) {
  const logitsOf = ({ hidden, targets, from }: Inputs, head: Head) => {
    const rows = rowsFrom(head.weight.read(), from, width)
    const capped = softCap(tf.matMul(hidden, rows, false, true), config.logitSoftCap)
    const place = targets.sub(from)
    const inside = tf.logicalAnd(tf.greaterEqual(place, 0), tf.less(place, width)).toFloat()
    const column = tf.minimum(tf.maximum(place, tf.scalar(0, 'int32')), tf.scalar(width - 1, 'int32'))
    return { rows, capped, logits: temperature === 1 ? capped : capped.div(temperature), inside, column }
  }
  const forward = graphFunction('logits', ({ largest, total, target, ...inputs }: Inputs & Sums, head: Head): Sums => {
    const { logits, inside, column } = logitsOf(inputs, head)
    const larger = tf.maximum(largest, logits.max(1))
    const sum = tf.exp(logits.sub(larger.expandDims(1))).sum(1)
    const found = gatherV2(logits, column.expandDims(1), 1, 1).squeeze([1])
    return {
      largest: larger,
      total: total.mul(tf.exp(largest.sub(larger))).add(sum),
      target: target.add(found.mul(inside)),
    }
  })
  const backward = graphFunction('gradient of logits', (inputs: BackwardInputs, head: Head) => {
    const { rows, capped, logits, inside, column } = logitsOf(inputs, head)
    const { hidden, normalizer, dy, from, dHidden } = inputs
    const probabilities = tf.exp(logits.sub(normalizer.expandDims(1)))
    const spread = probabilities.mul(dy.neg().expandDims(1))
    const places = tf.stack([tf.range(0, dy.shape[0], 1, 'int32'), column], 1)
    const dLogits = scatterAddValues(spread, places, dy.mul(inside))
    const scaled = temperature === 1 ? dLogits : dLogits.div(temperature)
    const cap = config.logitSoftCap
    const dProduct = cap === undefined ? scaled : scaled.mul(tf.sub(1, capped.div(cap).square()))
    if (head.gradient) addRows(head.gradient, from, tf.matMul(dProduct, hidden, true))
    const change = tf.matMul(dProduct, rows)
    return { dHidden: dHidden?.add(change) ?? change }
  })
  return { forward, backward }
}
