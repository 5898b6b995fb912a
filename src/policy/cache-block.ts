import type { ModelConfig } from '../model/config.js'
import { uniform } from '../random/seeded-random.js'
import type { Tokenizer } from '../tokenizer/tokenizer.js'
import { CACHE_BLOCK } from './cached-attention.js'
import { copyCacheRow, createCache, disposeCache, widenCache } from './cache.js'
import type { Cache, Decoder, DecoderState, Drawn, Sampled } from './decoder.js'
import type { DecodingWeights } from './decoding-weights.js'
import { NO_DRAFT } from './drafts.js'
import type { Generation, GenerationLimits, Sampling } from './policy.js'
import { lookUpDraft } from './prompt-lookup.js'
import { longestPrefix } from './shared-prefix.js'
import { takeTokens } from './take-tokens.js'

/** A generation that is under way. */
export interface Pending {
  kind: 'generation'
  limits: GenerationLimits
  /** Number of ids of the slot when the generation began. */
  start: number
  logprobs: number[]
  onIds: ((ids: readonly number[]) => void) | undefined
  resolve(generation: Generation): void
  reject(error: unknown): void
}

/** A distribution that is asked for. */
export interface PendingMeasure {
  kind: 'measure'
  resolve(logprobs: Float32Array): void
  reject(error: unknown): void
}

/** One conversation's place in a block. */
export interface Slot {
  block: CacheBlock
  row: number
  ids: number[]
  /** Leading ids whose keys and values are in the cache. */
  cached: number
  /** Of the weights that these were computed with (see decoding-weights.ts); undefined where they were several. */
  version: number | undefined
  sampling: Sampling
  seed: number
  pending: Pending | PendingMeasure | undefined
}

export interface CacheBlockOptions {
  config: ModelConfig
  weights: DecodingWeights
  tokenizer: Tokenizer
  decoder: Decoder
  /** Most ids of a conversation. */
  contextLength: number
  /** Conversations that share the cache. */
  rows: number
  /** Whether what comes next is looked up in what a conversation holds, and checked, where the decoder does that. */
  promptLookup: boolean
}

/**
 * Conversations that share one cache and the calls of the model on it. Its width follows the longest of them.
 *
 * While a call runs, conversations begin, ask and end. So after every await, what a call was made for is looked at again;
 * a row that was given to another conversation meanwhile holds nothing yet (`cached` is 0), whatever was written to it.
 */
export class CacheBlock {
  private readonly slots: (Slot | undefined)[]
  /** Whose keys and values lie in each row, be that conversation at an end or not. */
  private readonly held: (Slot | undefined)[] = []
  /** Of the weights that the call uses. */
  private version = 0
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
    const empty = { ids: [], cached: 0, version: undefined, pending: undefined }
    return (this.slots[row] = { block: this, row, ...empty, sampling, seed })
  }

  /** Rows that no conversation holds. */
  free(): number {
    return this.slots.filter((slot) => slot === undefined).length
  }

  holds(slot: Slot): boolean {
    return this.slots[slot.row] === slot
  }

  /** Gives the row back; what is being generated is rejected. */
  close(slot: Slot, reason: Error): void {
    if (this.holds(slot)) this.slots[slot.row] = undefined
    reject(slot, reason)
  }

  /** Slots that have something to generate or to measure. */
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
      await this.measure(active)
    } catch (error) {
      for (const slot of active) reject(slot, error)
    } finally {
      this.busy = false
      if (this.disposed) this.freeCache()
    }
  }

  /** Ends all conversations and frees the cache, after the call that runs. */
  dispose(reason: Error): void {
    this.disposed = true
    for (const slot of this.opened()) this.close(slot, reason)
    if (!this.busy) this.freeCache()
  }

  private opened(): Slot[] {
    return this.slots.filter((slot): slot is Slot => slot !== undefined)
  }

  private freeCache(): void {
    if (this.cache) disposeCache(this.cache)
    this.cache = undefined
    this.held.length = 0
  }

  /** A cache that has room for `length` ids. Where nothing is cached it is made anew, as narrow as it may be. */
  private async cacheFor(length: number): Promise<DecoderState> {
    const { config, weights, rows: slots, contextLength, decoder } = this.options
    const width = widthFor(length, Math.max(length, decoder.reach(0, contextLength) + decoder.tokensPerCall))
    const options = { slots, width, anyWidth: decoder.anyWidth }
    const unused = this.opened().every((slot) => slot.cached === 0)
    if (this.cache && unused && width < this.cache.width) this.freeCache()
    if (!this.cache) this.cache = await createCache(config, options)
    else if (width > this.cache.width) this.cache = await widenCache(config, this.cache, options)
    const { keys, values } = this.cache
    this.version = weights.version()
    return { weights: await weights.current(), keys, values }
  }

  /** Brings all ids but the last of each slot into the cache. */
  private async prefill(slots: readonly Slot[]): Promise<void> {
    const { decoder } = this.options
    for (;;) {
      const behind = slots.filter((slot) => slot.pending && !isReady(slot))
      if (behind.length === 0) return
      const state = await this.cacheFor(Math.max(...behind.map((slot) => decoder.reach(slot.cached, slot.ids.length))))
      const reading = decoder.independent ? await this.share(state, behind) : behind
      const served = reading.filter((slot) => slot.pending && !isReady(slot))
      if (served.length === 0) continue
      const read = await decoder.prefill(
        state,
        served.map(({ row, cached, ids }) => ({ slot: row, position: cached, ids: ids.slice(cached, -1) })),
      )
      const version = this.usedVersion()
      // The ids of a slot do not change while it is active; one that was ended begins nothing again.
      read.forEach((count, i) => this.hold(served[i]!, served[i]!.cached + count, version))
    }
  }

  /**
   * Gives conversations at their beginning what others have read of the same ids: of a prompt that many have, one reads.
   * @returns those that read now; the others wait for one of these to have read what they begin with
   */
  private async share(state: DecoderState, behind: readonly Slot[]): Promise<Slot[]> {
    const reading: Slot[] = []
    for (const slot of behind) {
      if (!slot.pending) continue
      if (slot.cached === 0) {
        const now = this.held.filter((other) => other?.version === this.version) as Slot[]
        const ready = longestPrefix(slot.ids, now, ({ cached }) => cached)
        const soon = longestPrefix(slot.ids, reading, ({ ids }) => ids.length - 1)
        if (soon && soon.length > (ready?.length ?? 0)) continue
        if (ready) {
          await copyCacheRow(state, ready.other.row, slot.row)
          this.hold(slot, ready.length, this.usedVersion())
        }
      }
      reading.push(slot)
    }
    return reading
  }

  /** The version of the weights that the call has used; undefined where they changed meanwhile. */
  private usedVersion(): number | undefined {
    return this.options.weights.version() === this.version ? this.version : undefined
  }

  /** Notes that the ids of a slot are in the cache up to `count`, the new ones by weights of a version. */
  private hold(slot: Slot, count: number, version: number | undefined): void {
    slot.version = slot.cached === 0 || slot.version === version ? version : undefined
    slot.cached = count
    this.held[slot.row] = slot
  }

  /** Samples for those of the slots that are still active. Their prefill must be done. */
  private async decode(slots: readonly Slot[]): Promise<void> {
    const isGenerating = (slot: Slot): boolean => slot.pending?.kind === 'generation'
    const asked = slots.filter(isGenerating).map((slot) => ({ slot, row: this.sampled(slot) }))
    if (asked.length === 0) return
    const { decoder } = this.options
    const ends = asked.map(({ row }) => row.position + 1 + row.draft.ids.length)
    const state = await this.cacheFor(Math.max(this.longest() + decoder.tokensPerCall, ...ends))
    const active = asked.filter(({ slot }) => isGenerating(slot))
    if (active.length === 0) return
    const drawn = await decoder.decode(
      state,
      active.map(({ row }) => row),
      this.filled(),
    )
    const version = this.usedVersion()
    active.forEach(({ slot }, i) => {
      // It may have been ended meanwhile.
      if (slot.pending?.kind !== 'generation') return
      try {
        this.accept(slot, slot.pending, drawn[i]!, version)
      } catch (error) {
        reject(slot, error)
      }
    })
  }

  /** A slot that generates, and what it may say next. */
  private sampled(slot: Slot): Sampled {
    const { ids, sampling, seed, pending } = slot
    const { decoder, promptLookup, contextLength } = this.options
    const { start, limits } = pending as Pending
    const left = Math.min(limits.maxTokens - (ids.length - start), contextLength - ids.length)
    return {
      ...lastOf(slot),
      sampling,
      uniform: (position) => uniform(seed, position),
      // The token behind a draft is sampled too.
      draft: promptLookup && decoder.checksDrafts ? lookUpDraft(ids, left - 1) : NO_DRAFT,
    }
  }

  /** Tells what may come next to those of the slots that ask for it still. Their prefill must be done. */
  private async measure(slots: readonly Slot[]): Promise<void> {
    const isMeasured = (slot: Slot): boolean => slot.pending?.kind === 'measure'
    if (!slots.some(isMeasured)) return
    const { decoder } = this.options
    const state = await this.cacheFor(this.longest() + decoder.tokensPerCall)
    const active = slots.filter(isMeasured)
    if (active.length === 0) return
    const measured = await decoder.measure(state, active.map(lastOf), this.filled())
    const version = this.usedVersion()
    active.forEach((slot, i) => {
      // It may have been ended meanwhile.
      if (slot.pending?.kind !== 'measure') return
      this.hold(slot, slot.ids.length, version)
      const { pending } = slot
      slot.pending = undefined
      pending.resolve(measured[i]!)
    })
  }

  private longest(): number {
    return Math.max(0, ...this.opened().map((slot) => slot.cached))
  }

  /** Number of ids in the cache for each row. */
  private filled(): number[] {
    const filled = new Array<number>(this.options.rows).fill(0)
    for (const slot of this.opened()) filled[slot.row] = slot.cached
    return filled
  }

  private accept(slot: Slot, pending: Pending, { tokens, logprobs }: Drawn, version: number | undefined): void {
    const { tokenizer, contextLength } = this.options
    const before = slot.ids.length
    const taken = takeTokens(tokenizer, slot.ids.slice(pending.start), tokens, pending.limits, contextLength - before)
    slot.ids.push(...tokens.slice(0, taken.count))
    pending.logprobs.push(...logprobs.slice(0, taken.count))
    // Every sampled token but the last of the call was fed back, and so is in the cache.
    this.hold(slot, before + Math.min(taken.count, tokens.length - 1), version)
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

/** The last id of a slot, and where it is. */
function lastOf(slot: Slot): { slot: number; token: number; position: number } {
  if (!isReady(slot)) throw new Error(`decode: row ${slot.row} must be in the cache up to its last id`)
  return { slot: slot.row, token: slot.ids[slot.ids.length - 1]!, position: slot.ids.length - 1 }
}

function reject(slot: Slot, error: unknown): void {
  slot.pending?.reject(error)
  slot.pending = undefined
}

/** 128, 256, 384, 512, 768, 1024, 1536, …: few widths, so that few functions are compiled, and at most half too wide. */
export function widthFor(length: number, widest: number): number {
  let power = 128
  while (power * 2 < length) power *= 2
  const width = [power, power * 1.5, power * 2].find((w) => w >= length && w !== 192)!
  return Math.min(width, Math.ceil(widest / CACHE_BLOCK) * CACHE_BLOCK)
}
