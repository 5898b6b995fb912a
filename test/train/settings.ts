import { runConfigOf } from '../../src/train/run-config.js'
import type { Algorithm, RunConfig } from '../../src/train/run-config.js'

/** An algorithm's settings with their defaults, but for these. */
export const settingsOf = (algorithm: Algorithm, change: Partial<RunConfig> = {}): RunConfig =>
  runConfigOf({
    algorithm,
    updates: 1,
    curriculum: { start: 0, end: 0 },
    microbatchTokens: 4096,
    ...change,
  } as RunConfig)
