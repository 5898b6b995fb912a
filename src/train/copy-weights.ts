import type { Weights } from '../model/weights.js'
import { compile } from '../tensor/compile.js'
import type { NoInputs } from '../tensor/compile.js'

/** Sets weights to the values of others of the same keys and shapes. */
export async function copyWeights(from: Weights, to: Weights): Promise<void> {
  await copyAll({}, { from, to })
}

const copyAll = compile('copy weights', (_: NoInputs, { from, to }: Record<'from' | 'to', Weights>) => {
  for (const [key, weight] of Object.entries(to)) weight.assign(from[key]!.read())
  return {}
})
