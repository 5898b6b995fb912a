import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { argMax, asFloat, fill, gatherV2 } from '../tensor/ops.js'
import { tf } from '../tensor/runtime.js'

type Tensor = TensorFlow.Tensor

const BLOCK = 64
/** Tokens of less than e^-64 of the largest probability are never kept. */
const LOWEST = 64
const LOWEST_BITS = new Int32Array(Float32Array.of(LOWEST).buffer)[0]!
const BISECTIONS = Math.ceil(Math.log2(LOWEST_BITS + 2))
/** Values of a vector register, at most. */
const LANES = 16

/** Inputs of a draw, one value per row [rows]. `uniform` is in [0, 1); `topP` and `topK` as in `Sampling`. */
export interface DrawInputs {
  uniform: Tensor
  temperature: Tensor
  topP: Tensor
  topK: Tensor
}

/** Which kinds of truncation some row asks for; what none asks for costs nothing. */
export interface Truncation {
  topP: boolean
  topK: boolean
}

/**
 * Draws one token per row by inverting the cumulative distribution at `uniform`, so that a row's token depends on its
 * own number alone.
 * @param logits [rows, vocabulary]
 * @param truncation What a row gets does not depend on it, if it covers what the row asks for.
 * @returns `token` int32 [rows]; `logprob` [rows], natural logarithm under the distribution drawn from (temperature 1
 * where the temperature is 0)
 */
export function draw(logits: Tensor, inputs: DrawInputs, truncation: Truncation): { token: Tensor; logprob: Tensor } {
  const greedy = tf.equal(inputs.temperature, tf.scalar(0))
  const temperature = tf.where(greedy, tf.onesLike(inputs.temperature), inputs.temperature).expandDims(1)
  const scaled = logits.div(temperature)
  const shifted = scaled.sub(scaled.max(1, true))
  let mass = shifted.exp()
  if (truncation.topK) mass = mass.mul(topKTokens(shifted, inputs))
  if (truncation.topP) mass = mass.mul(topPTokens(shifted, mass, inputs))
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

/** 1 on the k most probable tokens, 0 elsewhere. Ties at the border are kept together. */
function topKTokens(shifted: Tensor, { topK }: DrawInputs): Tensor {
  // The smallest distance within which there are at least k tokens.
  const border = smallestDistance(shifted, (near) => tf.greaterEqual(near.toFloat().sum(1), topK))
  const unlimited = tf.lessEqual(topK, tf.scalar(0))
  return within(shifted, tf.where(unlimited, tf.onesLike(border).mul(Infinity), border)).toFloat()
}

/** 1 on the fewest most probable tokens that together have a share `topP` of the mass. Ties are kept together. */
function topPTokens(shifted: Tensor, mass: Tensor, { topP }: DrawInputs): Tensor {
  const goal = mass.sum(1).mul(topP)
  // topP is above 0, which TensorFlow does not know: zeros that it knew of would lie in the graph.
  const none = fill(mass.shape, tf.minimum(topP.min(), tf.scalar(0)))
  const border = smallestDistance(shifted, (near) => tf.greaterEqual(tf.where(near, mass, none).sum(1), goal))
  const unlimited = tf.greaterEqual(topP, tf.scalar(1))
  return within(shifted, tf.where(unlimited, tf.onesLike(border).mul(Infinity), border)).toFloat()
}

/** Which values of a row are at most so far below 0. */
const within = (shifted: Tensor, distance: Tensor): Tensor => tf.greaterEqual(shifted, distance.neg().expandDims(1))

/**
 * The smallest distance from a row's largest value, which is 0, within which there are tokens `enough`; at most `LOWEST`. By
 * bisection, without a sort: over the bits of a float32, whose order is that of positive numbers, so that it is exact.
 */
function smallestDistance(shifted: Tensor, enough: (near: Tensor) => Tensor): Tensor {
  const rows = shifted.shape[0]
  let low: Tensor = tf.fill([rows], -1, 'int32')
  let high: Tensor = tf.fill([rows], LOWEST_BITS, 'int32')
  for (let i = 0; i < BISECTIONS; i++) {
    const middle = low.add(high.sub(low).floorDiv(tf.scalar(2, 'int32')))
    const holds = enough(within(shifted, asFloat(middle)))
    low = tf.where(holds, low, middle)
    high = tf.where(holds, middle, high)
  }
  return asFloat(high)
}
