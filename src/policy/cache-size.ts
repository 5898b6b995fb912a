import type { ModelConfig } from '../model/config.js'
import { LANES } from './block-queue.js'
import { widthFor } from './cache-block.js'
import { isSmall, usesXla } from './decoder-for.js'

/** A call that XLA compiled computes all rows of a cache: of a small model, which spends its time on it, few share one. */
const SMALL_ROWS = 32

/** With fewer rows, a call costs as much. */
const FEWEST_ROWS = 16

/**
 * Conversations that share a cache. A large model's weights are read by each call, and its products use all processors: all
 * share one. A small model's are served side by side, a cache on each processor.
 */
export function cacheRows(config: ModelConfig, slots: number): number {
  if (!isSmall(config)) return slots
  return Math.min(slots, usesXla(config, slots) ? SMALL_ROWS : Math.max(FEWEST_ROWS, Math.ceil(slots / LANES)))
}

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
  const blocks = Math.min(conversations, Math.ceil(slots / rows))
  return 4 * 2 * layers * blocks * rows * kvHeads * widthFor(longest, longest) * headDim
}
