import { openSafetensors } from './safetensors.js'
import { createSafetensors } from './safetensors-writer.js'
import { downloadWeights, setWeight } from './weights.js'
import type { Weights } from './weights.js'

/** Writes variables to one safetensors file, float32, under their own keys. */
export async function writeWeightFile(path: string, weights: Weights): Promise<void> {
  const shapes = Object.fromEntries(Object.entries(weights).map(([key, { shape }]) => [key, shape]))
  const writer = await createSafetensors(path, shapes, 'float32')
  try {
    for await (const { key, data } of downloadWeights(weights)) await writer.write(key, data)
    await writer.finish()
  } finally {
    await writer.abort()
  }
}

/**
 * Sets variables to what `writeWeightFile` wrote.
 * @throws {Error} where the file lacks one of them, or has it in another shape; none is changed then
 */
export async function readWeightFile(path: string, weights: Weights): Promise<void> {
  const source = await openSafetensors(path)
  try {
    for (const [key, { shape }] of Object.entries(weights)) {
      const found = source.shapes.get(key)
      if (found?.join() !== shape.join()) {
        const was = found ? `[${found.join(', ')}]` : 'none'
        throw new Error(`read weights: ${path} should have '${key}' of [${shape.join(', ')}], has ${was}`)
      }
    }
    for (const [key, variable] of Object.entries(weights)) await setWeight(variable, await source.read(key))
  } finally {
    await source.close()
  }
}
