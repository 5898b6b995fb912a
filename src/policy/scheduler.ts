import { z } from 'zod'
import { parseOptions } from '../schema/parse-options.js'
import { CacheBlock } from './cache-block.js'
import type { CacheBlockOptions, Pending, Slot } from './cache-block.js'
import type { Conversation, Generation, GenerationLimits, Sampling } from './policy.js'
import { limitsSchema, samplingSchema, seedSchema } from './sampling-options.js'
import { serveBlock } from './block-queue.js'

export interface SchedulerOptions extends CacheBlockOptions {
  /** Conversations that can be open at a time; further ones wait for a slot. */
  slots: number
}

const startSchema = z.object({ sampling: samplingSchema, seed: seedSchema })

/** Who waits for a slot. */
interface Waiting {
  sampling: Sampling
  seed: number
  resolve(slot: Slot): void
  reject(error: Error): void
}

/**
 * Continuous batching: conversations hold slots in blocks of a cache, and every call of the model serves all of a block
 * that have something to do. One that waits for its documents holds up no other; a block in which all wait costs nothing.
 */
export class Scheduler {
  private readonly blocks: CacheBlock[] = []
  private readonly waiting: Waiting[] = []
  private opened = 0
  private disposed = false

  constructor(private readonly options: SchedulerOptions) {}

  async start(sampling: Sampling, seed: number): Promise<Conversation> {
    if (this.disposed) throw disposedError()
    parseOptions('start a conversation', startSchema, { sampling, seed })
    const slot =
      this.open(sampling, seed) ??
      (await new Promise<Slot>((resolve, reject) => this.waiting.push({ sampling, seed, resolve, reject })))
    return {
      generate: (ids, limits, onIds) => this.generate(slot, ids, limits, onIds),
      nextLogprobs: async (ids) => this.nextLogprobs(slot, ids),
      end: () => this.end(slot),
    }
  }

  /** Frees the cache. Running conversations fail, as do those that wait for a slot. */
  dispose(): void {
    this.disposed = true
    for (const block of this.blocks) block.dispose(disposedError())
    for (const waiting of this.waiting.splice(0)) waiting.reject(disposedError())
  }

  private open(sampling: Sampling, seed: number): Slot | undefined {
    if (this.opened === this.options.slots) return undefined
    this.opened++
    return this.roomiest().open(sampling, seed)
  }

  /** The block to open a conversation in: where blocks are served side by side, the emptiest; else the first with room. */
  private roomiest(): CacheBlock {
    const { slots, rows, decoder } = this.options
    const best = decoder.beside
      ? [...this.blocks].sort((a, b) => b.free() - a.free())[0]
      : this.blocks.find((block) => block.free() > 0)
    const isShared = decoder.beside && best !== undefined && best.free() < rows
    if (best && !(isShared && this.blocks.length < Math.ceil(slots / rows))) return best
    const block = new CacheBlock(this.options)
    this.blocks.push(block)
    return block
  }

  private generate(
    slot: Slot,
    ids: readonly number[],
    limits: GenerationLimits,
    onIds: Pending['onIds'],
  ): Promise<Generation> {
    const checked = parseOptions('generate', limitsSchema, limits)
    this.check(slot, ids, 'generate')
    if (slot.ids.length + ids.length >= this.options.contextLength) {
      return Promise.resolve({ ids: [], logprobs: [], text: '', stopReason: 'full' })
    }
    for (const id of ids) slot.ids.push(id)
    return new Promise((resolve, reject) => {
      const start = slot.ids.length
      slot.pending = { kind: 'generation', limits: checked, start, logprobs: [], onIds, resolve, reject }
      serveBlock(slot.block)
    })
  }

  private nextLogprobs(slot: Slot, ids: readonly number[]): Promise<Float32Array> {
    this.check(slot, ids, 'next log-probabilities')
    const { contextLength } = this.options
    const length = slot.ids.length + ids.length
    if (length > contextLength) {
      throw new Error(
        `next log-probabilities: the conversation must hold at most ${contextLength} ids (the context), got ${length}`,
      )
    }
    for (const id of ids) slot.ids.push(id)
    return new Promise((resolve, reject) => {
      slot.pending = { kind: 'measure', resolve, reject }
      serveBlock(slot.block)
    })
  }

  /** Whether a conversation can take more ids now. */
  private check(slot: Slot, ids: readonly number[], operation: string): void {
    const { tokenizer } = this.options
    if (this.disposed) throw disposedError()
    if (!slot.block.holds(slot)) throw new Error(`${operation}: the conversation has ended; start another one`)
    if (slot.pending) throw new Error(`${operation}: the conversation is generating already; await the first call`)
    const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= tokenizer.vocabSize)
    if (wrong !== undefined) {
      throw new Error(`${operation}: ids must be integers below ${tokenizer.vocabSize} (the vocabulary), got ${wrong}`)
    }
    if (slot.ids.length + ids.length === 0)
      throw new Error(`${operation}: a conversation must begin with at least one id`)
  }

  private end(slot: Slot): void {
    if (!slot.block.holds(slot)) return
    slot.block.close(slot, new Error('generate: the conversation was ended while it was generating'))
    this.opened--
    const next = this.waiting.shift()
    if (next) next.resolve(this.open(next.sampling, next.seed)!)
  }
}

const disposedError = (): Error => new Error('generate: the model was disposed; load it again')
