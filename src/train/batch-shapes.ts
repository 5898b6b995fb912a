import { createRandom, hash } from '../random/seeded-random.js'
import { toMicrobatches } from './microbatch.js'
import type { Sequence } from './microbatch.js'

/** Updates that are looked at: later ones bring hardly a new shape. */
const LOOKED_AT = 50

/** Shapes of microbatches, each of which is compiled for once. */
export function batchShapes(sequences: readonly Sequence[], microbatchTokens: number): Set<string> {
  return new Set(
    toMicrobatches(sequences, microbatchTokens).map(
      ({ ids, targets }) => `${ids.shape.join()} ${targets.shape.join()}`,
    ),
  )
}

/** Number of shapes in a run of batches of `count` sequences like these, which are drawn from with replacement. */
export function expectedShapes(
  sequences: readonly Sequence[],
  { count, updates, microbatchTokens }: { count: number; updates: number; microbatchTokens: number },
): number {
  const random = createRandom(hash(count, updates))
  const shapes = new Set<string>()
  for (let update = 0; update < Math.min(updates, LOOKED_AT); update++) {
    const batch = Array.from({ length: count }, () => sequences[Math.floor(random() * sequences.length)]!)
    for (const shape of batchShapes(batch, microbatchTokens)) shapes.add(shape)
  }
  return shapes.size
}
