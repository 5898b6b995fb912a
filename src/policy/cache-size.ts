import type { ModelConfig } from '../model/config.js'
import { parameterCount } from '../model/weight-names.js'
import { widthFor } from './cache-block.js'
import { SMALL } from './decoder-for.js'

/** A small model spends its time on the cache, so few rows share one; a larger one on its weights. */
const SMALL_ROWS = 32

/** Conversations that share a cache. */
export const cacheRows = (config: ModelConfig, slots: number): number =>
  parameterCount(config) < SMALL ? Math.min(slots, SMALL_ROWS) : slots

/** What decides how large the caches of a model's conversations become. */
export interface CacheUse {
  /** Conversations that the model was loaded for. */
  slots: number
  /** Conversations that want to run side by side. */
  conversations: number
  /** Ids of the longest. */
  longest: number
}

/** Bytes of keys and values, float32: caches are made for whole blocks of conversations, as wide as the longest. */
export function cacheBytes(config: ModelConfig, { slots, conversations, longest }: CacheUse): number {
  const { layers, kvHeads, headDim } = config
  const rows = cacheRows(config, slots)
  const blocks = Math.ceil(Math.min(conversations, slots) / rows)
  return 4 * 2 * layers * blocks * rows * kvHeads * widthFor(longest, longest) * headDim
}
