import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { argMax, gatherV2 } from '../tensor/ops.js'
import { tf } from '../tensor/runtime.js'

type Tensor = TensorFlow.Tensor

const BLOCK = 64
const BISECTIONS = 40
/** Values of a vector register, at most. */
const LANES = 16

/** Inputs of a draw, one value per row [rows]. `uniform` is in [0, 1); `topP` and `topK` as in `Sampling`. */
export interface DrawInputs {
  uniform: Tensor
  temperature: Tensor
  topP: Tensor
  topK: Tensor
}

/**
 * Draws one token per row by inverting the cumulative distribution at `uniform`, so that a row's token depends on its
 * own number alone.
 * @param logits [rows, vocabulary]
 * @param truncate False where no row asks for top-p or top-k, which then cost nothing.
 * @returns `token` int32 [rows]; `logprob` [rows], natural logarithm under the distribution drawn from (temperature 1
 * where the temperature is 0)
 */
export function draw(logits: Tensor, inputs: DrawInputs, truncate: boolean): { token: Tensor; logprob: Tensor } {
  const greedy = tf.equal(inputs.temperature, tf.scalar(0))
  const temperature = tf.where(greedy, tf.onesLike(inputs.temperature), inputs.temperature).expandDims(1)
  const scaled = logits.div(temperature)
  const shifted = scaled.sub(scaled.max(1, true))
  let mass = shifted.exp()
  if (truncate) mass = mass.mul(keptTokens(shifted, mass, inputs))
  const { grouped, sums } = inBlocks(mass)
  const total = sums.sum(1)
  const drawn = placeIn(grouped, sums, inputs.uniform.mul(total)).index
  const token = tf.where(greedy, argMax(logits), drawn).toInt()
  const chosen = gatherV2(shifted, token.expandDims(1), 1, 1).squeeze([1])
  // TensorFlow rounds a logarithm differently where fewer values than a vector register holds are left.
  const logTotal = tf.tile(total.expandDims(1), [1, LANES]).log().max(1)
  return { token, logprob: chosen.sub(logTotal) }
}

/**
 * Log-probabilities of the vocabulary's tokens.
 * @param logits [rows, embedding rows], where rows of the embedding beyond the vocabulary have no probability
 * @returns [rows, vocabulary]
 */
export function logSoftmax(logits: Tensor, vocabulary: number): Tensor {
  const shifted = logits.sub(logits.max(1, true))
  return shifted.sub(shifted.exp().sum(1, true).log()).slice([0, 0], [logits.shape[0], vocabulary])
}

/** A row cut into blocks [rows, blocks, BLOCK], zeros at its end, and the sum of each block [rows, blocks]. */
function inBlocks(mass: Tensor): { grouped: Tensor; sums: Tensor } {
  const [rows, count] = mass.shape as [number, number]
  const blocks = Math.ceil(count / BLOCK)
  const padded: Tensor = tf.pad(mass, [
    [0, 0],
    [0, blocks * BLOCK - count],
  ])
  const grouped = padded.reshape([rows, blocks, BLOCK])
  return { grouped, sums: grouped.sum(2) }
}

/** Where the cumulative mass exceeds the goal, and the mass before that place: first the block, then inside of it. */
function placeIn(grouped: Tensor, sums: Tensor, goal: Tensor): { index: Tensor; before: Tensor } {
  const outer = place(sums, goal)
  const inside = gatherV2(grouped, outer.index.expandDims(1), 1, 1).squeeze<Tensor>([1])
  const inner = place(inside, goal.sub(outer.before))
  const index = outer.index.mul(tf.scalar(BLOCK, 'int32')).add(inner.index)
  return { index, before: outer.before.add(inner.before) }
}

/** The same for a row of any length [rows, count]: a long one is cut into blocks, so that all cumulative sums are short. */
function place(mass: Tensor, goal: Tensor): { index: Tensor; before: Tensor } {
  const count = mass.shape[1]!
  if (count > BLOCK) {
    const { grouped, sums } = inBlocks(mass)
    return placeIn(grouped, sums, goal)
  }
  const cumulative = prefixSums(mass, count)
  const index = lastBelow(cumulative, goal, mass)
  return { index, before: gatherV2(cumulative.sub(mass), index.expandDims(1), 1, 1).squeeze([1]) }
}

/** Cumulative sums over the last axis by a triangular product: XLA's own cumulative sum is quadratic on the CPU. */
function prefixSums(values: Tensor, size: number): Tensor {
  const triangle = new Float32Array(size * size)
  for (let row = 0; row < size; row++) triangle.fill(1, row * size + row, (row + 1) * size)
  return tf.matMul(values, tf.tensor2d(triangle, [size, size]))
}

/** First index whose cumulative mass exceeds the goal, kept on entries that have mass whatever the rounding. */
function lastBelow(cumulative: Tensor, goal: Tensor, mass: Tensor): Tensor {
  const count = tf.lessEqual(cumulative, goal.expandDims(1)).toInt().sum(1)
  const indices = tf.range(0, mass.shape[1]!, 1, 'int32').expandDims(0)
  const last = tf.greater(mass, tf.scalar(0)).toInt().mul(indices).max(1)
  return tf.minimum(count, last).toInt()
}

/** 1 on the tokens that top-k and then top-p keep, 0 elsewhere. Ties at the border are kept together. */
function keptTokens(shifted: Tensor, mass: Tensor, inputs: DrawInputs): Tensor {
  const vocabulary = shifted.shape[1]!
  const unlimited = tf.lessEqual(inputs.topK, tf.scalar(0))
  const k = tf.where(unlimited, tf.fill(inputs.topK.shape, vocabulary, 'int32'), inputs.topK)
  // The k-th largest value is the largest threshold with at least k tokens at or above it.
  const byCount = threshold(shifted, (above) => tf.greaterEqual(above.sum(1), k))
  const first = tf.greaterEqual(shifted, byCount.expandDims(1)).toFloat()
  const remaining = mass.mul(first)
  const goal = remaining.sum(1).mul(inputs.topP)
  const byMass = threshold(shifted, (above) => tf.greaterEqual(above.mul(remaining).sum(1), goal))
  const second = tf.greaterEqual(shifted, byMass.expandDims(1)).toFloat()
  const all = tf.greaterEqual(inputs.topP, tf.scalar(1)).toFloat().expandDims(1)
  return first.mul(tf.maximum(second, all))
}

/** By bisection, the largest t in [-64, 0] for which `enough` holds of the tokens with value ≥ t; no sort is needed. */
function threshold(shifted: Tensor, enough: (above: Tensor) => Tensor): Tensor {
  const rows = shifted.shape[0]
  let high: Tensor = tf.zeros([rows])
  let low: Tensor = high.sub(64)
  for (let i = 0; i < BISECTIONS; i++) {
    const middle = low.add(high).mul(0.5)
    const holds = enough(tf.greaterEqual(shifted, middle.expandDims(1)).toFloat())
    low = tf.where(holds, middle, low)
    high = tf.where(holds, high, middle)
  }
  return low
}
