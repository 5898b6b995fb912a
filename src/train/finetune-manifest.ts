import type { LocalModel } from '../language-model/local-model.js'
import { digest } from '../schema/digest.js'
import { firstChange } from '../schema/first-change.js'
import { FINETUNE_KEYS, finetuneShape } from './finetune-options.js'
import type { FinetuneConfig, FinetuneKey } from './finetune-options.js'
import { adapterIdentity, changed } from './run-manifest.js'
import type { Example } from './supervised-learner.js'

/** All that the course of a fine-tuning depends on, as plain data: its settings, and what identifies its inputs. */
export interface FinetuneManifest extends FinetuneConfig {
  algorithm: 'sft'
  /** What the model's adapter is; none where all weights are trained. */
  adapter?: Record<string, unknown>
  /** Number and content of the examples as ids, in their order. */
  examples: string
  /** The same of those that are held out. */
  heldOut: string
}

export function finetuneManifest(
  config: FinetuneConfig,
  { adapter }: Pick<LocalModel, 'adapter'>,
  examples: readonly Example[],
  heldOut: readonly Example[],
): FinetuneManifest {
  const settings = Object.entries(config).filter(([key]) => key in finetuneShape)
  return {
    ...(Object.fromEntries(settings) as unknown as FinetuneConfig),
    algorithm: 'sft',
    ...(adapter && { adapter: { ...adapterIdentity(adapter), dropout: adapter.dropout, seed: adapter.seed } }),
    examples: identity(examples),
    heldOut: identity(heldOut),
  }
}

const identity = (examples: readonly Example[]): string =>
  `${examples.length}, content ${digest(examples.map(({ ids, tokenWeights }) => digest([ids, tokenWeights])))}`

/**
 * Checks that a run may go on under a manifest: it is the saved one, but for what is allowed to differ.
 * @throws {Error} naming the first difference, with both values
 */
export function checkFinetune(
  folder: string,
  saved: Readonly<Record<string, unknown>>,
  now: FinetuneManifest,
  allowed: readonly FinetuneKey[],
): void {
  for (const key of FINETUNE_KEYS) {
    const change = allowed.includes(key) ? undefined : firstChange(key, saved[key], now[key])
    if (change) throw changed('finetune', folder, key, change)
  }
}
