import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import type { Projected } from '../model/attend.js'
import type { Rotation } from '../model/rope.js'
import { changingOp } from '../tensor/native-ops.js'
import { attribute } from '../tensor/trace.js'
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
 * Puts new keys and values into a cache, in place, and attends over what is there then: src/tensor/native/cached-attention.h,
 * for the CPU alone. What a token gets does not depend on what else is in the call, nor on the cache's width, bit for bit.
 * @param projected Of one row, [1, tokens, …]
 * @param rotation [tokens, headDim] each
 * @param keys [slots, kvHeads, width, headDim], which no other op reads: keys lie there in an order of the op's. `values`
 * likewise.
 * @param options `scale` of the products, `cap` on them (0: none), `window` of tokens that are seen (0: all)
 * @returns [1, tokens, heads * headDim]
 */
export function cachedAttention(
  { q, k, v }: Projected,
  { cos, sin }: Rotation,
  { keys, values }: Record<'keys' | 'values', Variable>,
  { slot, position, start, count }: Segments,
  options: { scale: number; cap: number; window: number },
): Tensor {
  const attributes = [
    attribute.float('scale', options.scale),
    attribute.float('cap', options.cap),
    attribute.int('window', options.window),
  ]
  const inputs = [q, k, v, cos, sin, keys.read(), values.read(), slot, position, start, count]
  return changingOp('CachedAttention', attributes, inputs, q.shape, [keys, values])
}
