import { downloadWeight, setWeight } from '../model/weights.js'
import type { Weights } from '../model/weights.js'
import type { Learner } from './learner.js'

/** What a batch changes, as it is now. */
export interface Undo {
  /** Sets all of it back. */
  restore(): Promise<void>
}

/**
 * Copies what the steps of a batch change into JavaScript's memory: 12 bytes for each trained value, 6 with 8-bit moments. A
 * later step of a batch that fails would otherwise leave the weights between two batches.
 * @param trainable The policy's weights that learn.
 */
export async function rememberBatch(trainable: Weights, learner: Learner): Promise<Undo> {
  const { weights, counters } = learner.state()
  // The reference never changes.
  const { reference: _, ...changing } = weights
  const copies = await Promise.all(
    [trainable, ...Object.values(changing)]
      .flatMap((set) => Object.values(set))
      .map(async (variable) => ({ variable, data: await downloadWeight(variable) })),
  )
  return {
    async restore() {
      for (const { variable, data } of copies) await setWeight(variable, data)
      await learner.restore(counters)
    },
  }
}
