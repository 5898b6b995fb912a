import type { Sequence } from './rows.js'
import { NotFiniteError } from './not-finite.js'
import type { Optimizer } from './optimizer.js'
import type { TokenRows } from './target-rows.js'

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
  logprobs: (alone: Sequence) => Promise<readonly number[]>
  /** Adds the gradient of the trajectory at a place, and gives its loss. */
  loss: (place: number) => Promise<number>
  optimizer: Pick<Optimizer, 'check' | 'clear'>
}

/** What the others are computed from; one value that is not finite may spread to all advantages of a batch. */
const CAUSES: readonly string[] = ['oldLogprobs', 'refLogprobs', 'oldValues', 'logprobs']

/** Whether a value is not finite by itself. */
export const isCause = ({ value }: NonNullable<ExaminedTrajectory['firstFault']>): boolean => CAUSES.includes(value)

/** @param rows What the step read of each policy token, by name. */
export async function examineTrajectories(
  sequences: readonly Sequence[],
  rows: Partial<Record<NonNullable<ExaminedTrajectory['firstFault']>['value'], TokenRows>>,
  { logprobs, loss, optimizer }: Step,
): Promise<ExaminedTrajectory[]> {
  const examined: ExaminedTrajectory[] = []
  for (const [place, sequence] of sequences.entries()) {
    if (sequence.trained.length === 0) continue
    const read = Object.entries(rows).map(([value, row]) => [value, row[place]!] as const)
    const firstFault = faultOf(sequence, [...read, ['logprobs', await logprobs(sequence)]])
    await optimizer.clear()
    examined.push({
      ids: sequence.ids,
      loss: await loss(place),
      gradNorm: await optimizer.check().catch((error: unknown) => {
        if (error instanceof NotFiniteError) return NaN
        throw error
      }),
      ...(firstFault && { firstFault }),
    })
    await optimizer.clear()
  }
  return examined
}

/** The first token with a fault; of those, one that has it by itself before others. */
function faultOf(
  { trained }: Sequence,
  values: readonly (readonly [string, readonly number[]])[],
): ExaminedTrajectory['firstFault'] {
  const causes = values.filter(([value]) => CAUSES.includes(value))
  for (const some of [causes, values]) {
    for (const [token, place] of trained.entries()) {
      const fault = some.find(([, row]) => !Number.isFinite(row[token]))
      if (fault) return { place, value: fault[0] as NonNullable<ExaminedTrajectory['firstFault']>['value'] }
    }
  }
  return undefined
}
