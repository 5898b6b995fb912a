import { float32 } from '../tensor/host-tensor.js'
import type { HostTensor } from '../tensor/host-tensor.js'
import { perTarget, targetInputs } from './microbatch.js'
import type { Microbatch, TargetInputs } from './microbatch.js'
import type { Sequence } from './rows.js'

/** A row for each sequence with a value for each of its trained tokens. */
export type TokenRows = readonly (readonly number[])[]

/** What a compiled function says of all trained tokens, microbatch by microbatch. */
export async function readRows(
  sequences: readonly Sequence[],
  microbatches: readonly Microbatch[],
  read: (inputs: TargetInputs) => Promise<HostTensor>,
): Promise<number[][]> {
  const rows = sequences.map(({ trained }) => new Array<number>(trained.length).fill(0))
  for (const batch of microbatches) {
    const { data } = await read(targetInputs(batch))
    batch.origins.forEach(({ sequence, token }, i) => (rows[sequence]![token] = data[i]!))
  }
  return rows
}

/**
 * Rows as an input of one microbatch, [targets].
 * @param places The rows of the microbatch's sequences.
 */
export const rowsInput = (batch: Microbatch, rows: TokenRows, places: readonly number[]): HostTensor =>
  float32(perTarget(batch, ({ sequence, token }) => rows[places[sequence]!]![token]!))
