/** Milliseconds between two looks: a call of the engine that takes a machine's memory lasts longer. */
const EVERY = 10

/** The most memory that the process has resident while some work runs. */
export interface MemoryWatch {
  /** Bytes, the most since the last call of `peak`, or since the beginning. */
  peak(): number
  end(): void
}

export function watchMemory(): MemoryWatch {
  let most = 0
  const look = (): void => {
    most = Math.max(most, process.memoryUsage.rss())
  }
  look()
  const timer = setInterval(look, EVERY)
  timer.unref()
  return {
    peak() {
      look()
      const peak = most
      most = 0
      look()
      return peak
    },
    end: () => clearInterval(timer),
  }
}
