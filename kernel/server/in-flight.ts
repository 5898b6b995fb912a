import { PHASE } from './thread-messages.js'

/** How much may be under way, in characters: far more than a notebook shows. A loop that prints without end waits. */
const LIMIT = 16 << 20
/** What a message costs beside its text. */
const OVERHEAD = 256
/** How often a waiting thread looks for the stop button. */
const LOOK_MS = 50

/** How a wait ended. */
export type WaitEnd = 'free' | 'interrupted'

/**
 * How much output is under way between the cells and the front end, counted in memory that both threads see: cells add what
 * they show, and the wire thread takes away what ZeroMQ has accepted. Code that shows more than gets through waits here.
 */
export class InFlight {
  readonly #phase: Int32Array

  constructor(phase: Int32Array) {
    this.#phase = phase
  }

  add(size: number): void {
    Atomics.add(this.#phase, PHASE.inFlight, size)
  }

  remove(size: number): void {
    Atomics.sub(this.#phase, PHASE.inFlight, size)
    Atomics.notify(this.#phase, PHASE.inFlight)
  }

  isFull(): boolean {
    return Atomics.load(this.#phase, PHASE.inFlight) > LIMIT
  }

  /** Holds the thread up until more may be sent, or the stop button is pressed. */
  wait(): WaitEnd {
    while (this.isFull()) {
      Atomics.wait(this.#phase, PHASE.inFlight, Atomics.load(this.#phase, PHASE.inFlight), LOOK_MS)
      if (Atomics.load(this.#phase, PHASE.interrupted)) return 'interrupted'
    }
    return 'free'
  }

  /** As `wait`, while timers and other code go on. */
  async waitAsync(): Promise<WaitEnd> {
    while (this.isFull()) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      if (Atomics.load(this.#phase, PHASE.interrupted)) return 'interrupted'
    }
    return 'free'
  }
}

/** What a text counts for; never more than a quarter of what the shared counter can hold. */
export const sizeOf = (characters: number): number => Math.min(characters + OVERHEAD, 1 << 29)
