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
