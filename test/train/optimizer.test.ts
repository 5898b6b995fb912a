import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { disposeWeights, downloadWeight, setWeight, uploadWeight } from '../../src/model/weights.js'
import type { Weights } from '../../src/model/weights.js'
import { createOptimizer } from '../../src/train/optimizer.js'

type Values = Record<string, number[]>
interface Golden {
  shapes: Record<string, number[]>
  options: Record<'beta1' | 'beta2' | 'epsilon' | 'weightDecay' | 'maxGradNorm', number>
  start: Values
  steps: { learningRate: number; gradients: Values; norm: number; weights: Values }[]
}

const golden = JSON.parse(readFileSync(join(import.meta.dirname, '../parity/fixtures/adamw.json'), 'utf8')) as Golden
const weights: Weights = {}
beforeAll(async () => {
  for (const [key, shape] of Object.entries(golden.shapes))
    weights[key] = await uploadWeight(key, shape, Float32Array.from(golden.start[key]!))
})
afterAll(() => disposeWeights(weights))

describe('AdamW', () => {
  it("takes torch's steps: clipped and not, decay of matrices alone, another learning rate each time", async () => {
    const optimizer = await createOptimizer(weights, golden.options)
    for (const step of golden.steps) {
      for (const [key, values] of Object.entries(step.gradients))
        await setWeight(optimizer.gradients[key]!, Float32Array.from(values))
      expect(await optimizer.step(step.learningRate)).toBeCloseTo(step.norm, 5)
      for (const [key, values] of Object.entries(step.weights)) {
        const own = await downloadWeight(weights[key]!)
        values.forEach((value, i) => expect(own[i]).toBeCloseTo(value, 5))
      }
    }
    optimizer.dispose()
  })
})
