import { availableMemory } from '../host/available-memory.js'
import { downloadWeight, setWeight } from '../model/weights.js'
import type { Weights } from '../model/weights.js'
import type { Variable } from '../tensor/variable.js'
import type { Learner } from './learner.js'

/** Bytes of a value. */
const FLOAT = 4

/** What a batch changes, as it is now. */
export interface Undo {
  /** Sets all of it back. */
  restore(): Promise<void>
}

/** Share of the free memory that the copy may take. */
export const UNDO_SHARE = 0.25

/**
 * Copies what the steps of a batch change into JavaScript's memory, 12 bytes for each trained value: a later step of a batch that
 * fails would otherwise leave the weights between two batches.
 * @param trainable The policy's weights that learn.
 * @returns undefined where the copy would take more than a quarter of the free memory: training goes before it
 */
export async function rememberBatch(
  trainable: Weights,
  learner: Learner,
  free = availableMemory(),
): Promise<Undo | undefined> {
  const { weights, counters } = learner.state()
  // The reference never changes.
  const { reference: _, ...changing } = weights
  const variables = [trainable, ...Object.values(changing)].flatMap((set) => Object.values(set))
  if (variables.reduce((bytes, { size }) => bytes + FLOAT * size, 0) > UNDO_SHARE * free) return undefined
  const copies: { variable: Variable; data: Float32Array }[] = []
  for (const variable of variables) copies.push({ variable, data: await downloadWeight(variable) })
  return {
    async restore() {
      for (const { variable, data } of copies) await setWeight(variable, data)
      await learner.restore(counters)
    },
  }
}
