import { createRandom, hash, shuffle } from '../random/seeded-random.js'
import type { PolicySettings } from './policy-settings.js'

/**
 * Which sequences each optimizer step of an epoch learns from: all of them once, drawn by the seed. The last step may have
 * fewer. Without a size, one step has all.
 * @returns places of sequences
 */
export function minibatches(sequences: number, size: number | undefined, seed: number): number[][] {
  const all = Array.from({ length: sequences }, (_, i) => i)
  if (size === undefined || size >= sequences) return [all]
  const drawn = shuffle(createRandom(hash(seed)), all)
  return Array.from({ length: Math.ceil(sequences / size) }, (_, i) => drawn.slice(i * size, (i + 1) * size))
}

/** Whether a batch of so many sequences has more than one optimizer step. */
export const hasSeveralSteps = (
  { epochs, minibatchTrajectories = Infinity }: Pick<PolicySettings, 'epochs' | 'minibatchTrajectories'>,
  sequences: number,
): boolean => epochs > 1 || minibatchTrajectories < sequences
