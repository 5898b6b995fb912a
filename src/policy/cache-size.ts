import type { ModelConfig } from '../model/config.js'
import { widthFor } from './cache-block.js'
import { isSmall, usesXla } from './decoder-for.js'

/** A call that XLA compiled computes all rows of a cache: of a small model, which spends its time on it, few share one. */
const SMALL_ROWS = 32

/** Conversations that share a cache. */
export const cacheRows = (config: ModelConfig, slots: number): number =>
  isSmall(config) && usesXla(config, slots) ? Math.min(slots, SMALL_ROWS) : slots

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
