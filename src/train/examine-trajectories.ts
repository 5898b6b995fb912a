import type { Optimizer } from './optimizer.js'
import { NotFiniteError } from './not-finite.js'
import type { TokenRows } from './target-rows.js'
import type { TrainedSequence } from './trained-batch.js'

/** What one trajectory of a batch gives alone. */
export interface ExaminedTrajectory {
  /** The trajectory's own `ids`, by which it is known. */
  ids: readonly number[]
  /** Its loss, as if the batch had no other. */
  loss: number
  /** Norm of its gradient before clipping; NaN where it is not finite. */
  gradNorm: number
  /** The first policy token of which something is not finite. */
  firstFault?: {
    /** Its place in the trajectory's `ids`. */
    place: number
    /** What is not finite: `logprobs` are the policy's now. */
    value: 'logprobs' | 'oldLogprobs' | 'refLogprobs' | 'advantages' | 'weights' | 'oldValues' | 'returns'
  }
}

/** How a step computes with one trajectory. */
interface Step {
  logprobs(alone: readonly TrainedSequence[]): Promise<readonly number[]>
  /** Adds the gradient of the trajectory at a place, and gives its loss. */
  loss(place: number): Promise<number>
  optimizer: Pick<Optimizer, 'check' | 'clear'>
}

/**
 * @param places Of the trajectories in question.
 * @param rows What the step read of each policy token, by name.
 */
export async function examineTrajectories(
  places: readonly number[],
  sequences: readonly TrainedSequence[],
  rows: Partial<Record<NonNullable<ExaminedTrajectory['firstFault']>['value'], TokenRows>>,
  { logprobs, loss, optimizer }: Step,
): Promise<ExaminedTrajectory[]> {
  const examined: ExaminedTrajectory[] = []
  for (const place of places) {
    const sequence = sequences[place]!
    if (sequence.trained.length === 0) continue
    const read = Object.entries(rows).map(([value, row]) => [value, row[place]!] as const)
    const values = [...read, ['logprobs', await logprobs([sequence])] as const]
    const token = sequence.trained.findIndex((_, i) => values.some(([, row]) => !Number.isFinite(row[i])))
    const value = values.find(([, row]) => !Number.isFinite(row[token]))?.[0]
    await optimizer.clear()
    examined.push({
      ids: sequence.ids,
      loss: await loss(place),
      gradNorm: await optimizer.check().catch((error: unknown) => {
        if (error instanceof NotFiniteError) return NaN
        throw error
      }),
      ...(token >= 0 && { firstFault: { place: sequence.trained[token]!, value: value as never } }),
    })
    await optimizer.clear()
  }
  return examined
}
