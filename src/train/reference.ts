import { cloneWeights, disposeWeights, downloadWeights } from '../model/weights.js'
import type { Weights } from '../model/weights.js'
import { modelWeights } from './loss-function.js'
import type { ModelWeights, Trainable } from './loss-function.js'

/** The policy as a run began, frozen: what its divergence is measured from. */
export interface Reference {
  /** What it computes with. */
  readonly weights: ModelWeights
  /** True for the model below a new adapter: nothing is copied then. */
  readonly isBase: boolean
  /** The copy, where there is one: what a saved run must keep. */
  readonly copy: Weights | undefined
  /** Makes it the model below the adapter, or a copy whose values are yet to be read: as that of a saved run. */
  become(isBase: boolean): Promise<void>
  /** Frees the copy. */
  dispose(): void
}

/**
 * A policy's reference, as the policy is now. Of a policy with an adapter, at most the adapter is copied.
 * @param dtype Of the copy; bfloat16 takes half of the memory.
 */
export async function createReference(policy: Trainable, dtype: 'float32' | 'bfloat16'): Promise<Reference> {
  const { trainable, frozen } = modelWeights(policy)
  const begins = policy.adapter !== undefined && (await addsNothing(policy.adapter.weights))
  let copy = begins ? undefined : await cloneWeights(trainable, dtype)
  return {
    get weights() {
      return { trainable: copy ?? {}, frozen }
    },
    get isBase() {
      return copy === undefined
    },
    get copy() {
      return copy
    },
    async become(isBase) {
      if (isBase === (copy === undefined)) return
      if (copy) disposeWeights(copy)
      copy = isBase ? undefined : await cloneWeights(trainable, dtype)
    },
    dispose() {
      if (copy) disposeWeights(copy)
    },
  }
}

/** True for an adapter as it begins: B is zero. */
async function addsNothing(adapter: Weights): Promise<boolean> {
  const second = Object.fromEntries(Object.entries(adapter).filter(([key]) => key.endsWith('.loraB')))
  for await (const { data } of downloadWeights(second)) if (data.some((value) => value !== 0)) return false
  return true
}
