import type { ModelConfig } from '../model/config.js'
import type { Weights } from '../model/weights.js'
import { uniform } from '../schema/seeded-random.js'
import { float32, int32 } from '../tensor/host-tensor.js'
import type { Tokenizer } from '../tokenizer/tokenizer.js'
import { createCache, disposeCache, widenCache } from './cache.js'
import type { Cache, Decoder } from './decoder.js'
import type { Conversation, Generation, GenerationLimits, Sampling } from './policy.js'
import { takeTokens } from './stop.js'

/** Narrowest cache; it doubles as conversations grow, so that short ones do not pay for long ones. */
const MIN_WIDTH = 128

export interface SchedulerOptions {
  config: ModelConfig
  weights: Weights
  tokenizer: Tokenizer
  decoder: Decoder
  /** Conversations that can be open at a time; further ones wait for a slot. */
  slots: number
  /** Most ids of a conversation. */
  contextLength: number
  /** Ids per row of a prefill call. */
  prefillChunk: number
}

interface Pending {
  limits: GenerationLimits
  /** Number of ids of the slot when the generation began. */
  start: number
  logprobs: number[]
  resolve(generation: Generation): void
  reject(error: unknown): void
}

interface Slot {
  index: number
  ids: number[]
  /** Leading ids whose keys and values are in the cache. */
  cached: number
  sampling: Sampling
  seed: number
  pending: Pending | undefined
}

/**
 * Continuous batching: conversations hold slots of one cache, and every call of the model serves all that have
 * something to do. One that waits for its documents holds up no other.
 */
export class Scheduler {
  private readonly free: number[]
  private readonly waiting: ((index: number) => void)[] = []
  private readonly slots = new Map<number, Slot>()
  private cache: Promise<Cache> | undefined
  private running = false

  constructor(private readonly options: SchedulerOptions) {
    this.free = Array.from({ length: options.slots }, (_, i) => i).reverse()
  }

  async start(sampling: Sampling, seed: number): Promise<Conversation> {
    const index = this.free.pop() ?? (await new Promise<number>((resolve) => this.waiting.push(resolve)))
    const slot: Slot = { index, ids: [], cached: 0, sampling, seed, pending: undefined }
    this.slots.set(index, slot)
    return {
      generate: (ids, limits) => this.generate(slot, ids, limits),
      end: () => this.end(slot),
    }
  }

  /** Frees the cache. Running conversations fail. */
  async dispose(): Promise<void> {
    const cache = this.cache
    this.cache = undefined
    if (cache) disposeCache(await cache)
  }

  private generate(slot: Slot, ids: readonly number[], limits: GenerationLimits): Promise<Generation> {
    if (!Number.isInteger(limits.maxTokens) || limits.maxTokens < 1) {
      throw new Error(`generate: maxTokens must be a positive integer, got ${limits.maxTokens}`)
    }
    if (this.slots.get(slot.index) !== slot) throw new Error('generate: the conversation has ended; start another one')
    if (slot.pending) throw new Error('generate: the conversation is generating already; await the first call')
    const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= this.options.tokenizer.vocabSize)
    if (wrong !== undefined) {
      throw new Error(
        `generate: ids must be integers below ${this.options.tokenizer.vocabSize} (the vocabulary), got ${wrong}`,
      )
    }
    if (slot.ids.length + ids.length === 0) throw new Error('generate: a conversation must begin with at least one id')
    if (slot.ids.length + ids.length >= this.options.contextLength) {
      return Promise.resolve({ ids: [], logprobs: [], text: '', stopReason: 'full' })
    }
    slot.ids.push(...ids)
    return new Promise((resolve, reject) => {
      slot.pending = { limits, start: slot.ids.length, logprobs: [], resolve, reject }
      void this.run()
    })
  }

  private end(slot: Slot): void {
    if (this.slots.get(slot.index) !== slot) return
    this.slots.delete(slot.index)
    slot.pending?.reject(new Error('generate: the conversation was ended while it was generating'))
    slot.pending = undefined
    const next = this.waiting.shift()
    if (next) next(slot.index)
    else this.free.push(slot.index)
  }

  /** Works until no conversation has anything to generate. */
  private async run(): Promise<void> {
    if (this.running) return
    this.running = true
    try {
      // Conversations that ask in the same turn of the event loop are served together.
      await new Promise<void>((resolve) => setImmediate(resolve))
      for (let active = this.active(); active.length > 0; active = this.active()) {
        await this.prefill(active)
        await this.decode(active)
        await new Promise<void>((resolve) => setImmediate(resolve))
      }
    } catch (error) {
      for (const slot of this.active()) {
        slot.pending!.reject(error)
        slot.pending = undefined
      }
    } finally {
      this.running = false
    }
  }

  private active(): Slot[] {
    return [...this.slots.values()].filter((slot) => slot.pending).sort((a, b) => a.index - b.index)
  }

  /** A cache that has room for `length` ids. */
  private async room(length: number): Promise<Cache> {
    const { config, slots } = this.options
    this.cache ??= createCache(config, slots, MIN_WIDTH)
    const cache = await this.cache
    let width = cache.width
    while (width < length) width *= 2
    if (width > cache.width) this.cache = widenCache(config, cache, width)
    return this.cache
  }

  /** Brings all ids but the last of each slot into the cache. */
  private async prefill(active: Slot[]): Promise<void> {
    const { prefillChunk: chunk, decoder, weights } = this.options
    for (;;) {
      const behind = active.filter((slot) => slot.pending && slot.cached < slot.ids.length - 1)
      if (behind.length === 0) return
      const rows = rowsFor(behind.length, this.options.slots)
      const served = behind.slice(0, rows)
      const cache = await this.room(Math.max(...served.map((slot) => slot.cached + chunk)))
      const ids = new Int32Array(rows * chunk)
      const places = Array.from({ length: rows }, (_, row) => {
        // A spare row repeats the first one: it writes the same values to the same place.
        const slot = served[row] ?? served[0]!
        ids.set(slot.ids.slice(slot.cached, Math.min(slot.cached + chunk, slot.ids.length - 1)), row * chunk)
        return { slot: slot.index, position: slot.cached }
      })
      await decoder.prefill(
        {
          slot: int32(places.map((place) => place.slot)),
          ids: int32(ids, [rows, chunk]),
          position: int32(places.map((place) => place.position)),
        },
        { weights, keys: cache.keys, values: cache.values },
      )
      for (const slot of served) slot.cached = Math.min(slot.cached + chunk, slot.ids.length - 1)
    }
  }

  /** Samples the next tokens of every active slot. */
  private async decode(active: Slot[]): Promise<void> {
    const { decoder, weights, slots } = this.options
    const steps = decoder.tokensPerCall
    const lengths = [...this.slots.values()].map((slot) => slot.ids.length)
    const cache = await this.room(Math.max(...lengths) + steps)
    const token = new Int32Array(slots)
    const position = new Int32Array(slots)
    const uniforms = new Float32Array(slots * steps)
    const temperature = new Float32Array(slots)
    const topP = new Float32Array(slots).fill(1)
    const topK = new Int32Array(slots)
    for (const slot of this.slots.values()) {
      // A slot that waits is written to just behind its ids, where nothing is read before it is overwritten.
      position[slot.index] = slot.pending ? slot.ids.length - 1 : slot.ids.length
      if (!slot.pending) continue
      token[slot.index] = slot.ids[slot.ids.length - 1]!
      temperature[slot.index] = slot.sampling.temperature
      topP[slot.index] = slot.sampling.topP
      topK[slot.index] = slot.sampling.topK
      for (let step = 0; step < steps; step++) {
        uniforms[slot.index * steps + step] = uniform(slot.seed, slot.ids.length + step)
      }
    }
    const truncate = active.some((slot) => slot.sampling.topP < 1 || slot.sampling.topK > 0)
    const run = truncate ? decoder.decodeTruncated : decoder.decode
    const result = await run(
      {
        token: int32(token),
        position: int32(position),
        uniform: float32(uniforms, [slots, steps]),
        temperature: float32(temperature),
        topP: float32(topP),
        topK: int32(topK),
      },
      { weights, keys: cache.keys, values: cache.values },
    )
    for (const slot of active) {
      if (!slot.pending) continue
      const at = slot.index * steps
      this.accept(
        slot,
        [...result.tokens.data.subarray(at, at + steps)],
        [...result.logprobs.data.subarray(at, at + steps)],
      )
    }
  }

  private accept(slot: Slot, tokens: number[], logprobs: number[]): void {
    const { tokenizer, contextLength } = this.options
    const pending = slot.pending!
    const before = slot.ids.length
    const taken = takeTokens(tokenizer, slot.ids.slice(pending.start), tokens, pending.limits, contextLength - before)
    slot.ids.push(...tokens.slice(0, taken.count))
    pending.logprobs.push(...logprobs.slice(0, taken.count))
    // Every sampled token but the last of the call was fed back, and so is in the cache.
    slot.cached = before + Math.min(taken.count, tokens.length - 1)
    if (!taken.stopReason) return
    slot.pending = undefined
    const ids = slot.ids.slice(pending.start)
    pending.resolve({ ids, logprobs: pending.logprobs, text: taken.text, stopReason: taken.stopReason })
  }
}

/** Few row counts, so that few functions are compiled. */
function rowsFor(wanted: number, slots: number): number {
  return Math.min(slots, wanted > 1 ? 16 : 1)
}
