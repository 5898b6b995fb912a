import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { backend, dtypeNumber } from '../tensor/runtime.js'
import { attribute, currentTrace, runOp } from '../tensor/trace.js'
import type { Variable } from '../tensor/variable.js'

type Tensor = TensorFlow.Tensor

/** The width of a cache is a multiple of this. */
export const CACHE_BLOCK = 64

/**
 * Runs of tokens in one call that follow one another in a conversation, int32 [segments] each: `slot`; `position` of the first
 * token in its conversation; `start`, its place in the call; `count` of tokens, 0 for no segment. Their slots differ. What a
 * token of no segment gets means nothing.
 */
export type Segments = Record<'slot' | 'position' | 'start' | 'count', Tensor>

/**
 * Puts new keys and values into a cache, in place, and attends over what is there then: src/tensor/native/attention.h, for
 * the CPU alone. What a token gets does not depend on what else is in the call, nor on the cache's width, bit for bit.
 * @param q [1, heads, tokens, headDim]
 * @param k [1, kvHeads, tokens, headDim]; `v` likewise
 * @param keys [slots, kvHeads, width, headDim], which no other op reads: keys lie there in an order of the op's. `values`
 * likewise.
 * @param options `scale` of the products, `cap` on them (0: none), `window` of tokens that are seen (0: all)
 * @returns [1, tokens, heads * headDim]
 */
export function cachedAttention(
  { q, k, v }: Record<'q' | 'k' | 'v', Tensor>,
  { keys, values }: Record<'keys' | 'values', Variable>,
  { slot, position, start, count }: Segments,
  options: { scale: number; cap: number; window: number },
): Tensor {
  const trace = currentTrace()
  if (!trace) throw new Error('cached attention: it works inside of a compiled function alone')
  const [, heads, tokens, headDim] = q.shape as [number, number, number, number]
  const attributes = [
    attribute.float('scale', options.scale),
    attribute.float('cap', options.cap),
    attribute.int('window', options.window),
  ]
  const inputs = [q, k, v, keys.read(), values.read(), slot, position, start, count]
  const [info] = runOp('CachedAttention', attributes, inputs, 1)
  const shape = [1, tokens, heads * headDim]
  trace.setShape(info!.id, shape)
  trace.changed(keys, info!.id)
  trace.changed(values, info!.id)
  return backend.createOutputTensor({ id: info!.id, dtype: dtypeNumber.float32, shape })
}
