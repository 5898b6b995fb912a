import type { ModelConfig } from '../model/config.js'
import type { Weights } from '../model/weights.js'
import { uniform } from '../random/seeded-random.js'
import { float32, int32 } from '../tensor/host-tensor.js'
import type { HostTensor } from '../tensor/host-tensor.js'
import type { Tokenizer } from '../tokenizer/tokenizer.js'
import { createCache, disposeCache, widenCache } from './cache.js'
import type { Cache, Decoder } from './decoder.js'
import type { Generation, GenerationLimits, Sampling } from './policy.js'
import { takeTokens } from './take-tokens.js'

/** Rows of a prefill call: few counts, so that few functions are compiled. */
const PREFILL_ROWS = 16

export interface Pending {
  limits: GenerationLimits
  /** Number of ids of the slot when the generation began. */
  start: number
  logprobs: number[]
  onIds: ((ids: readonly number[]) => void) | undefined
  resolve(generation: Generation): void
  reject(error: unknown): void
}

/** One conversation's place in a block. */
export interface Slot {
  block: CacheBlock
  row: number
  ids: number[]
  /** Leading ids whose keys and values are in the cache. */
  cached: number
  sampling: Sampling
  seed: number
  pending: Pending | undefined
}

export interface CacheBlockOptions {
  config: ModelConfig
  weights: Weights
  tokenizer: Tokenizer
  decoder: Decoder
  /** Most ids of a conversation. */
  contextLength: number
  /** Ids per row of a prefill call. */
  prefillChunk: number
  /** Conversations that share the cache. */
  rows: number
}

/**
 * Conversations that share one cache and the calls of the model on it. Its width follows the longest of them.
 *
 * While a call runs, conversations begin, ask and end. So after every await, what a call was made for is looked at again;
 * a row that was given to another conversation meanwhile holds nothing yet (`cached` is 0), whatever was written to it.
 */
export class CacheBlock {
  private readonly slots: (Slot | undefined)[]
  private cache: Cache | undefined
  private busy = false
  private disposed = false

  constructor(private readonly options: CacheBlockOptions) {
    this.slots = new Array<Slot | undefined>(options.rows).fill(undefined)
  }

  /** A slot for a new conversation, if there is one left. */
  open(sampling: Sampling, seed: number): Slot | undefined {
    const row = this.slots.indexOf(undefined)
    if (row < 0) return undefined
    return (this.slots[row] = { block: this, row, ids: [], cached: 0, sampling, seed, pending: undefined })
  }

  holds(slot: Slot): boolean {
    return this.slots[slot.row] === slot
  }

  /** Gives the row back; what is being generated is rejected. */
  close(slot: Slot, reason: Error): void {
    if (this.holds(slot)) this.slots[slot.row] = undefined
    reject(slot, reason)
  }

  /** Slots that have something to generate. */
  active(): Slot[] {
    return this.opened().filter((slot) => slot.pending)
  }

  /**
   * Brings what is new of active slots into the cache, and samples their next tokens. One that becomes active meanwhile
   * waits for the next time. Where a call fails, so do the slots that it was made for.
   */
  async advance(): Promise<void> {
    const active = this.active()
    this.busy = true
    try {
      await this.prefill(active)
      await this.decode(active)
    } catch (error) {
      for (const slot of active) reject(slot, error)
    } finally {
      this.busy = false
      if (this.disposed) this.free()
    }
  }

  /** Ends all conversations and frees the cache, after the call that runs. */
  dispose(reason: Error): void {
    this.disposed = true
    for (const slot of this.opened()) this.close(slot, reason)
    if (!this.busy) this.free()
  }

  private opened(): Slot[] {
    return this.slots.filter((slot): slot is Slot => slot !== undefined)
  }

  private free(): void {
    if (this.cache) disposeCache(this.cache)
    this.cache = undefined
  }

  /** A cache that has room for `length` ids. Where nothing is cached it is made anew, as narrow as it may be. */
  private async cacheFor(length: number): Promise<Cache> {
    const { config, rows, contextLength, decoder, prefillChunk } = this.options
    const widest = contextLength + Math.max(decoder.tokensPerCall, prefillChunk)
    const width = widthFor(length, widest)
    const unused = this.opened().every((slot) => slot.cached === 0)
    if (this.cache && unused && width < this.cache.width) this.free()
    if (!this.cache) this.cache = await createCache(config, rows, width)
    else if (width > this.cache.width) this.cache = await widenCache(config, this.cache, width)
    return this.cache
  }

  /** Brings all ids but the last of each slot into the cache. */
  private async prefill(slots: readonly Slot[]): Promise<void> {
    const { prefillChunk: chunk, decoder, weights } = this.options
    for (;;) {
      const behind = slots.filter((slot) => slot.pending && !isReady(slot)).slice(0, PREFILL_ROWS)
      if (behind.length === 0) return
      const rows = behind.length > 1 ? Math.min(this.options.rows, PREFILL_ROWS) : 1
      const cache = await this.cacheFor(Math.max(...behind.map((slot) => slot.cached + chunk)))
      const served = behind.filter((slot) => slot.pending)
      if (served.length === 0) continue
      const ids = new Int32Array(rows * chunk)
      const places = Array.from({ length: rows }, (_, row) => {
        // A spare row repeats the first one: it writes the same values to the same place.
        const slot = served[row] ?? served[0]!
        ids.set(slot.ids.slice(slot.cached, Math.min(slot.cached + chunk, slot.ids.length - 1)), row * chunk)
        return { row: slot.row, position: slot.cached }
      })
      await decoder.prefill(
        {
          slot: int32(places.map((place) => place.row)),
          ids: int32(ids, [rows, chunk]),
          position: int32(places.map((place) => place.position)),
        },
        { weights, keys: cache.keys, values: cache.values },
      )
      // The ids of a slot do not change while it is active; one that was ended is never used again.
      for (const slot of served) slot.cached = Math.min(slot.cached + chunk, slot.ids.length - 1)
    }
  }

  /** Samples for those of the slots that are still active. Their prefill must be done. */
  private async decode(slots: readonly Slot[]): Promise<void> {
    const { decoder, weights, rows } = this.options
    const steps = decoder.tokensPerCall
    const longest = Math.max(0, ...this.opened().map((slot) => slot.cached))
    const cache = await this.cacheFor(longest + steps)
    const active = slots.filter((slot) => slot.pending)
    if (active.length === 0) return
    const token = new Int32Array(rows)
    const position = new Int32Array(rows)
    const uniforms = new Float32Array(rows * steps)
    const temperature = new Float32Array(rows)
    const topP = new Float32Array(rows).fill(1)
    const topK = new Int32Array(rows)
    // Every row is written to. One that waits is so just behind what is cached, where nothing is read before its own ids
    // have overwritten it.
    for (const slot of this.opened()) position[slot.row] = slot.cached
    for (const slot of active) {
      if (!isReady(slot)) throw new Error(`decode: row ${slot.row} must be in the cache up to its last id`)
      position[slot.row] = slot.ids.length - 1
      token[slot.row] = slot.ids[slot.ids.length - 1]!
      temperature[slot.row] = slot.sampling.temperature
      topP[slot.row] = slot.sampling.topP
      topK[slot.row] = slot.sampling.topK
      for (let step = 0; step < steps; step++) {
        uniforms[slot.row * steps + step] = uniform(slot.seed, slot.ids.length + step)
      }
    }
    const truncate = active.some((slot) => slot.sampling.topP < 1 || slot.sampling.topK > 0)
    const run = truncate ? decoder.decodeTruncated : decoder.decode
    const result = await run(
      {
        token: int32(token),
        position: int32(position),
        uniform: float32(uniforms, [rows, steps]),
        temperature: float32(temperature),
        topP: float32(topP),
        topK: int32(topK),
      },
      { weights, keys: cache.keys, values: cache.values },
    )
    for (const slot of active) {
      // It may have been ended meanwhile.
      if (!slot.pending) continue
      const first = slot.row * steps
      const part = (values: HostTensor): number[] => [...values.data.subarray(first, first + steps)]
      try {
        this.accept(slot, slot.pending, part(result.tokens), part(result.logprobs))
      } catch (error) {
        reject(slot, error)
      }
    }
  }

  private accept(slot: Slot, pending: Pending, tokens: number[], logprobs: number[]): void {
    const { tokenizer, contextLength } = this.options
    const before = slot.ids.length
    const taken = takeTokens(tokenizer, slot.ids.slice(pending.start), tokens, pending.limits, contextLength - before)
    slot.ids.push(...tokens.slice(0, taken.count))
    pending.logprobs.push(...logprobs.slice(0, taken.count))
    // Every sampled token but the last of the call was fed back, and so is in the cache.
    slot.cached = before + Math.min(taken.count, tokens.length - 1)
    const ids = slot.ids.slice(pending.start)
    if (!taken.stopReason) return pending.onIds?.(ids)
    slot.pending = undefined
    pending.resolve({ ids, logprobs: pending.logprobs, text: taken.text, stopReason: taken.stopReason })
  }
}

/** Whether all ids but the last, which decoding puts there, are in the cache. */
function isReady(slot: Slot): boolean {
  return slot.cached >= slot.ids.length - 1
}

function reject(slot: Slot, error: unknown): void {
  slot.pending?.reject(error)
  slot.pending = undefined
}

/** 128, 256, 384, 512, 768, 1024, 1536, …: few widths, so that few functions are compiled, and at most half too wide. */
function widthFor(length: number, widest: number): number {
  let power = 128
  while (power * 2 < length) power *= 2
  const width = [power, power * 1.5, power * 2].find((w) => w >= length && w !== 192)!
  return Math.min(width, widest)
}
