import { createRandom, hash } from '../random/seeded-random.js'
import type { ModelConfig } from '../model/config.js'
import { rolloutMicrobatches } from './microbatch.js'
import type { Sequence } from './rows.js'

/** Updates that are looked at: later ones bring hardly a new shape. */
const LOOKED_AT = 50

/** Shapes of microbatches, each of which is compiled for once. */
export function batchShapes(
  sequences: readonly Sequence[],
  { config, microbatchTokens }: { config: ModelConfig; microbatchTokens: number },
): Set<string> {
  return new Set(
    rolloutMicrobatches(sequences, config, microbatchTokens).map(
      ({ ids, targets, starts, shared }) =>
        `${ids.shape.join()} ${targets.shape.join()} ${starts !== undefined} ${shared !== undefined}`,
    ),
  )
}

/** Number of shapes in a run of batches of `count` sequences like these, which are drawn from with replacement. */
export function expectedShapes(
  sequences: readonly Sequence[],
  { count, updates, ...model }: { count: number; updates: number; config: ModelConfig; microbatchTokens: number },
): number {
  const random = createRandom(hash(count, updates))
  const shapes = new Set<string>()
  for (let update = 0; update < Math.min(updates, LOOKED_AT); update++) {
    const batch = Array.from({ length: count }, () => sequences[Math.floor(random() * sequences.length)]!)
    for (const shape of batchShapes(batch, model)) shapes.add(shape)
  }
  return shapes.size
}
