import { setMaxListeners } from 'node:events'
import { abortable } from '../signal/abortable.js'
import { busy, Refusal } from './refusal.js'

/** Places that a request has, one for each piece of its work. */
export interface Places {
  /** Does one piece of work when its turn comes. Rejects with the signal's reason as soon as that aborts. */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>
  /** Gives back the places whose work has not been begun. */
  end(): void
}

/**
 * Lets so many pieces of work run at once, and a number of further ones wait, first come first served. More are turned away,
 * so that memory stays bounded. Work that goes on after nobody waits for it keeps its place until it ends.
 */
export class Admission {
  running = 0
  private taken = 0
  private readonly waiting = new Set<() => void>()

  /** @param capacity Most pieces of work, running and waiting together. */
  constructor(
    private readonly concurrency: number,
    private readonly capacity: number,
  ) {}

  /** Pieces of work whose turn has not come. */
  get queued(): number {
    return this.taken - this.running
  }

  /** @throws {Refusal} where there are not so many places: now (503), or ever (413) */
  admit(count: number): Places {
    if (count > this.capacity) {
      throw new Refusal(413, `a request may hold at most ${this.capacity} queries, got ${count}; send them in parts`)
    }
    if (this.taken + count > this.capacity) throw busy('the server has as much work as it takes; try again')
    this.taken += count
    let left = count
    return {
      run: (work, signal) => {
        left--
        return this.run(work, signal)
      },
      end: () => {
        this.taken -= left
        left = 0
      },
    }
  }

  private async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      await this.turn(signal)
      // It may have aborted since its turn came.
      if (signal.aborted) {
        this.running--
        throw signal.reason as Error
      }
    } catch (error) {
      this.taken--
      this.next()
      throw error
    }
    const working = Promise.resolve()
      .then(work)
      .finally(() => {
        this.running--
        this.taken--
        this.next()
      })
    return abortable(working, signal)
  }

  /** Resolves with the place counted as running. */
  private turn(signal: AbortSignal): Promise<void> {
    // All queries of one request wait for one signal, which Node would report as a leak.
    setMaxListeners(0, signal)
    const waits = new Promise<void>((resolve, reject) => {
      const start = (): void => {
        this.waiting.delete(start)
        signal.removeEventListener('abort', abort)
        this.running++
        resolve()
      }
      const abort = (): void => {
        this.waiting.delete(start)
        reject(signal.reason as Error)
      }
      if (signal.aborted) return abort()
      signal.addEventListener('abort', abort, { once: true })
      this.waiting.add(start)
    })
    this.next()
    return waits
  }

  private next(): void {
    for (const start of this.waiting) {
      if (this.running >= this.concurrency) return
      start()
    }
  }
}
