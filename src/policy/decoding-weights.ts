import { cloneWeights, copyWeights, disposeWeights } from '../model/weights.js'
import type { Weights } from '../model/weights.js'
import type { DecodingType } from './decoder.js'

/** The weights that decoding computes with. */
export interface DecodingWeights {
  /** As they are now: changes of the model's weights are in them. */
  current(): Promise<Weights>
  /** Grows with every change of the model's weights. */
  version(): number
  /** Frees copies; the model's weights are left alone. */
  dispose(): void
}

/**
 * A model's weights in the type that decoding asks for. In bfloat16 those of the layers' products are copies, made at the
 * first call, which take half of their memory once more and follow the model's: after an update they are made anew, in
 * place. The others are the model's own: an embedding is only looked up, and of a bfloat16 product the results are bfloat16,
 * so that logits would come in steps of 1/8.
 */
export function decodingWeights(weights: Weights, dtype: DecodingType): DecodingWeights {
  const version = (): number => versionOf(weights)
  if (dtype === 'float32') return { current: () => Promise.resolve(weights), version, dispose: () => undefined }
  const ofProducts = Object.fromEntries(Object.entries(weights).filter(([key]) => key.endsWith('.weight')))
  let copies: Weights | undefined
  let copied = -1
  const follow = async (): Promise<void> => {
    const now = versionOf(ofProducts)
    if (!copies) copies = await cloneWeights(ofProducts, dtype)
    else if (now !== copied) await copyWeights(ofProducts, copies)
    copied = now
  }
  // Several caches ask at the same time.
  let turn = Promise.resolve()
  return {
    async current() {
      await (turn = turn.then(follow, follow))
      return { ...weights, ...copies }
    },
    version,
    dispose() {
      if (copies) disposeWeights(copies)
      copies = undefined
    },
  }
}

const versionOf = (weights: Weights): number => Object.values(weights).reduce((sum, { changes }) => sum + changes, 0)
