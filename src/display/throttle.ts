const PERIOD_MS = 200

/** Work that is done no more than five times a second. */
export interface Throttle {
  /** Asks for it; what is asked for in between is done once. */
  ask(): void
  /** Does it now, after what is under way, whatever the time. */
  finish(): Promise<void>
}

/** @param work shows the latest state; a fault of it is left to `finish` */
export function throttle(work: () => Promise<void>): Throttle {
  let timer: NodeJS.Timeout | undefined
  let last = -Infinity
  let running: Promise<void> = Promise.resolve()
  const run = (): void => {
    timer = undefined
    last = performance.now()
    running = running.then(work)
    running.catch(() => undefined)
  }
  return {
    ask() {
      const wait = last + PERIOD_MS - performance.now()
      if (wait <= 0) run()
      else timer ??= setTimeout(run, wait)
    },
    async finish() {
      clearTimeout(timer)
      run()
      await running
    },
  }
}
