import { PHASE } from './thread-messages.js'

/** More than this must not be under way, in characters: what a notebook shows is far less, and a loop that prints waits. */
const LIMIT = 16 << 20
/** What a message costs beside its text. */
const OVERHEAD = 256
/** How often a waiting thread looks for the stop button. */
const LOOK_MS = 50

export type Room = 'free' | 'interrupted'

/**
 * How much output is under way between the cells and the front end, counted in memory that both threads see: cells add what
 * they show, and the wire thread takes away what ZeroMQ has accepted. Who shows more than goes through waits here.
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

  /** Holds the thread up until there is room, or the stop button is pressed. */
  wait(): Room {
    while (this.isFull()) {
      Atomics.wait(this.#phase, PHASE.inFlight, Atomics.load(this.#phase, PHASE.inFlight), LOOK_MS)
      if (Atomics.load(this.#phase, PHASE.interrupted)) return 'interrupted'
    }
    return 'free'
  }

  /** As `wait`, while timers and other code go on. */
  async waitAsync(): Promise<Room> {
    while (this.isFull()) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      if (Atomics.load(this.#phase, PHASE.interrupted)) return 'interrupted'
    }
    return 'free'
  }
}

/** What a text counts for; at most a quarter of what the shared counter can hold. */
export const sizeOf = (characters: number): number => Math.min(characters + OVERHEAD, 1 << 29)
