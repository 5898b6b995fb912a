import { compileSeconds } from '../tensor/compile.js'

/** Wall time of work and of what had to be compiled for it, in seconds. */
export interface Lap {
  seconds: number
  compileSeconds: number
}

/** Gives the time since the last call of it, or since it was made: what is compiled in the meantime is counted apart. */
export function workClock(): () => Lap {
  let last = performance.now()
  let compiled = compileSeconds()
  return () => {
    const [now, all] = [performance.now(), compileSeconds()]
    const compiling = all - compiled
    const lap = { seconds: Math.max(0, (now - last) / 1000 - compiling), compileSeconds: compiling }
    last = now
    compiled = all
    return lap
  }
}

/** Wall time in which some work is under way, however much of it goes on side by side. */
export interface BusyClock {
  during<T>(work: () => Promise<T>): Promise<T>
  /** Of what has ended. */
  seconds(): number
}

export function busyClock(): BusyClock {
  let running = 0
  let started = 0
  let milliseconds = 0
  return {
    async during(work) {
      if (running++ === 0) started = performance.now()
      try {
        return await work()
      } finally {
        if (--running === 0) milliseconds += performance.now() - started
      }
    },
    seconds: () => milliseconds / 1000,
  }
}
