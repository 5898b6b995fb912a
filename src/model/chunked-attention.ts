import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { graphFunction } from '../tensor/graph-function.js'
import { keptStep } from '../tensor/kept-step.js'
import { tf } from '../tensor/runtime.js'
import type { ModelConfig } from './config.js'
import { MASKED, softCap } from './attend.js'
import type { QueriesKeysValues } from './attend.js'

type Tensor = TensorFlow.Tensor

/**
 * Queries that are looked at together: few, so that scores take little memory and few are computed that a later query
 * alone may see; at most 16 pieces, so that few functions are traced.
 */
export const queriesAtOnce = (time: number): number => Math.max(128, Math.ceil(time / 16))

/** A range of queries and the range of keys that they see. */
interface Chunk {
  from: number
  to: number
  firstKey: number
}

/**
 * Attention of whole sequences, of TensorFlow's own ops: see `attendCausally`. Its gradient keeps nothing but the result, and
 * scores exist for a few queries at a time.
 * @param window How many tokens are seen, the token itself among them; Infinity for all
 * @param starts int32 [batch], number of padding tokens in front of each row; or [batch, time], where the sequence of each
 * token begins in its row: it sees nothing of another
 * @param shared int32 [batch], with `starts` of [batch, time]: number of tokens at a row's beginning that all of it sees; not
 * with a window
 * @returns [batch, time, heads * headDim]
 */
export function attendInChunks(
  config: ModelConfig,
  { q, k, v }: QueriesKeysValues,
  window: number,
  starts?: Tensor,
  shared?: Tensor,
): Tensor {
  const time = q.shape[2]!
  const chunks: Chunk[] = []
  const step = queriesAtOnce(time)
  for (let from = 0; from < time; from += step) {
    chunks.push({ from, to: Math.min(time, from + step), firstKey: Math.max(0, from + 1 - window) })
  }
  const padding = { ...(starts && { starts }), ...(shared && { shared }) }
  const mixed = keptStep(
    [q, k, v],
    (q, k, v) => {
      const parts: Tensor[] = []
      for (const chunk of chunks) {
        // Waiting for the chunk before, so that the scores of one chunk exist at a time.
        const after = parts.length > 0 ? { after: parts.at(-1)! } : {}
        const { mixed } = graphFunction('attention', (inputs: Inputs, _: null) => ({
          mixed: forwardChunk(config, chunk, window, inputs),
        }))({ q, k, v, ...padding, ...after }, null)
        parts.push(mixed)
      }
      return parts.length === 1 ? parts[0]! : tf.concat(parts, 2)
    },
    (dy, [q, k, v], y) => {
      const parts: Tensor[] = []
      let sums: { dk?: Tensor; dv?: Tensor } = {}
      for (const chunk of chunks) {
        const { dq, ...next } = graphFunction('gradient of attention', (inputs: BackwardInputs, _: null) =>
          backwardChunk(config, chunk, window, inputs),
        )({ q: q!, k: k!, v: v!, y, dy, ...sums, ...padding }, null)
        sums = next
        parts.push(dq)
      }
      return [parts.length === 1 ? parts[0]! : tf.concat(parts, 2), sums.dk!, sums.dv!]
    },
  )
  return mixed.transpose([0, 2, 1, 3]).reshape([q.shape[0], time, config.heads * config.headDim])
}

type Inputs = { q: Tensor; k: Tensor; v: Tensor; starts?: Tensor; shared?: Tensor } & Record<string, Tensor>
type BackwardInputs = Inputs & { y: Tensor; dy: Tensor; dk?: Tensor; dv?: Tensor }

/** Part of a tensor along the third axis. */
function part(x: Tensor, from: number, to: number): Tensor {
  const [batch, heads, , width] = x.shape as [number, number, number, number]
  return from === 0 && to === x.shape[2] ? x : x.slice([0, 0, from, 0], [batch, heads, to - from, width])
}

/** Queries of heads that share keys, below one another: [batch, kvHeads, group * queries, headDim]. */
function grouped({ kvHeads, headDim }: ModelConfig, x: Tensor): Tensor {
  return x.reshape([x.shape[0], kvHeads, (x.shape[1]! / kvHeads) * x.shape[2]!, headDim])
}

/** 0 where a query sees a key, a large negative number elsewhere, broadcast against [batch, kvHeads, group, queries, keys]. */
function chunkMask(
  { from, to, firstKey }: Chunk,
  window: number,
  { starts, shared }: Pick<Inputs, 'starts' | 'shared'>,
): Tensor {
  const queries = tf.range(from, to, 1, 'int32').expandDims(1)
  const keys = tf.range(firstKey, to, 1, 'int32').expandDims(0)
  let visible = tf.lessEqual(keys, queries)
  if (window !== Infinity) visible = visible.logicalAnd(tf.greater(keys, queries.sub(tf.scalar(window, 'int32'))))
  if (starts) {
    const ofQueries =
      starts.rank === 1 ? starts.reshape([-1, 1, 1]) : starts.slice([0, from], [-1, to - from]).expandDims(2)
    const own = tf.greaterEqual(keys, ofQueries)
    visible = visible.logicalAnd(shared ? own.logicalOr(tf.less(keys, shared.reshape([-1, 1, 1]))) : own)
  }
  const mask = tf.sub(1, visible.toFloat()).mul(MASKED)
  return mask.reshape([-1, 1, 1, to - from, to - firstKey])
}

/** Weights of a chunk [batch, kvHeads, group * queries, keys], what they are of, and scores before the mask. */
function weigh(config: ModelConfig, chunk: Chunk, window: number, { q, k, ...padding }: Inputs) {
  const count = chunk.to - chunk.from
  const queries = grouped(config, part(q, chunk.from, chunk.to)).mul(config.attentionScale)
  const keys = part(k, chunk.firstKey, chunk.to)
  const scores = softCap(tf.matMul(queries, keys, false, true), config.attentionSoftCap)
  const [batch, kvHeads, rows, columns] = scores.shape as [number, number, number, number]
  const apart = scores.reshape([batch, kvHeads, rows / count, count, columns])
  const weights = tf.softmax(apart.add(chunkMask(chunk, window, padding))).reshape(scores.shape)
  return { weights, queries, keys, scores }
}

function forwardChunk(config: ModelConfig, chunk: Chunk, window: number, inputs: Inputs): Tensor {
  const { weights } = weigh(config, chunk, window, inputs)
  const mixed = tf.matMul(weights, part(inputs.v, chunk.firstKey, chunk.to))
  return mixed.reshape([inputs.q.shape[0], config.heads, chunk.to - chunk.from, config.headDim])
}

function backwardChunk(config: ModelConfig, chunk: Chunk, window: number, inputs: BackwardInputs) {
  const { from, to, firstKey } = chunk
  const { weights, queries, keys, scores } = weigh(config, chunk, window, inputs)
  const cap = config.attentionSoftCap
  const dy = grouped(config, part(inputs.dy, from, to))
  const y = grouped(config, part(inputs.y, from, to))
  const dWeights = tf.matMul(dy, part(inputs.v, firstKey, to), false, true)
  // Of a softmax: p · (dp − Σ p dp), where the sum is that of the result times its gradient.
  const dCapped = dWeights.sub(y.mul(dy).sum(-1, true)).mul(weights)
  const dScores = cap === undefined ? dCapped : dCapped.mul(tf.sub(1, scores.div(cap).square()))
  const time = inputs.q.shape[2]!
  const widened = (x: Tensor): Tensor =>
    firstKey === 0 && to === time ? x : x.pad([[0, 0], [0, 0], [firstKey, time - to], [0, 0]]) // prettier-ignore
  const dq = tf.matMul(dScores, keys).mul(config.attentionScale)
  return {
    dq: dq.reshape([inputs.q.shape[0], config.heads, to - from, config.headDim]),
    dk: plus(widened(tf.matMul(dScores, queries, true, false)), inputs.dk),
    dv: plus(widened(tf.matMul(weights, dy, true, false)), inputs.dv),
  }
}

/** The sum so far with one more; the first one begins it, for zeros would lie in the graph. */
const plus = (x: Tensor, before: Tensor | undefined): Tensor => before?.add(x) ?? x
