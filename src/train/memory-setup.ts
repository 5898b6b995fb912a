import { modelWeights } from './loss-function.js'
import type { Trainable } from './loss-function.js'
import type { MemorySetup } from './memory-model.js'
import type { RunConfig } from './run-config.js'

/** What of a training's options decides its memory; without an algorithm it is supervised. */
export interface MemoryOptions
  extends
    Pick<MemorySetup, 'bfloat16' | 'optimizerStates' | 'reference'>,
    Partial<Pick<RunConfig, 'algorithm' | 'critic'>> {
  policy: Trainable
}

/** What a training's options say about its memory. */
export function memorySetup({ policy, bfloat16, optimizerStates, reference, ...options }: MemoryOptions): MemorySetup {
  const setup: MemorySetup = { config: policy.config, bfloat16, optimizerStates, reference, critic: hasCritic(options) }
  if (!policy.adapter) return setup
  // The model below the adapter is the reference.
  return { ...setup, reference: 'none', trained: sizeOf(modelWeights(policy).trainable) }
}

const hasCritic = ({ algorithm, critic }: Pick<MemoryOptions, 'algorithm' | 'critic'>): boolean =>
  algorithm === 'ppo' && critic?.shared !== true

/** Number of values. */
export const sizeOf = (weights: Readonly<Record<string, { size: number }>>): number =>
  Object.values(weights).reduce((sum, { size }) => sum + size, 0)
