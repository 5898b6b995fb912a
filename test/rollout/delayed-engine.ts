import type { SearchEngine } from '../../src/search/search-engine.js'

/** An engine that answers late, as one behind HTTP does. @param latency Milliseconds of the n-th call, from 0. */
export function delayedEngine(engine: SearchEngine, latency: (call: number) => number): SearchEngine {
  let calls = 0
  return {
    name: engine.name,
    async search(query, context) {
      const ms = latency(calls++)
      if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
      return engine.search(query, context)
    },
  }
}
