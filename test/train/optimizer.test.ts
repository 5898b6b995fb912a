import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { disposeWeights, downloadWeight, setWeight, uploadWeight } from '../../src/model/weights.js'
import type { Weights } from '../../src/model/weights.js'
import { createRandom } from '../../src/random/seeded-random.js'
import { storedBytes } from '../../src/tensor/variable.js'
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

describe('8-bit AdamW', () => {
  /** A valley with sides of very different steepness, and noise: the least squares of a random matrix. */
  async function descend(shape: [number, number], optimizerStates: 'float32' | '8-bit', steps: number) {
    const random = createRandom(11)
    const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
    const size = shape[0] * shape[1]
    const goal = Float32Array.from({ length: size }, normal)
    const steepness = Float32Array.from({ length: size }, () => 10 ** (4 * random() - 3))
    const weight = await uploadWeight('w', shape, new Float32Array(size))
    const optimizer = await createOptimizer({ w: weight }, { optimizerStates, maxGradNorm: 1e9 })
    const losses: number[] = []
    for (let step = 0; step < steps; step++) {
      const now = await downloadWeight(weight)
      losses.push(now.reduce((sum, value, i) => sum + steepness[i]! * (value - goal[i]!) ** 2, 0) / size)
      const gradient = now.map((value, i) => steepness[i]! * (value - goal[i]! + 0.3 * normal()))
      await setWeight(optimizer.gradients['w']!, gradient)
      await optimizer.step(0.02)
    }
    const end = await downloadWeight(weight)
    const bytes = Object.values(optimizer.moments).reduce((sum, { dtype, size }) => sum + storedBytes[dtype] * size, 0)
    optimizer.dispose()
    weight.dispose()
    return { losses, end, bytes }
  }

  it('goes the way of float32 Adam in a quarter of its memory, with noise and over many steps', async () => {
    const shape: [number, number] = [50, 300]
    const exact = await descend(shape, 'float32', 300)
    const coarse = await descend(shape, '8-bit', 300)
    expect(coarse.bytes).toBeLessThan(0.26 * exact.bytes)
    for (const step of [10, 50, 100, 200, 299]) {
      expect(Math.abs(coarse.losses[step]! / exact.losses[step]! - 1)).toBeLessThan(0.03)
    }
    const distance = Math.hypot(...coarse.end.map((value, i) => value - exact.end[i]!)) / Math.hypot(...exact.end)
    expect(distance).toBeLessThan(0.05)
  })

  it('repeats bit for bit', async () => {
    const ends = [await descend([20, 300], '8-bit', 30), await descend([20, 300], '8-bit', 30)]
    expect(ends[0]!.end).toEqual(ends[1]!.end)
  })

  it('updates a weight of several parts as it does a small one', async () => {
    const rows = 2 ** 11 + 3
    const whole = await descend([rows, 512], '8-bit', 3)
    const exact = await descend([rows, 512], 'float32', 3)
    const sum = (values: Float32Array): number => values.reduce((total, value) => total + Math.abs(value), 0)
    const difference = sum(whole.end.map((value, i) => value - exact.end[i]!))
    expect(difference / sum(exact.end)).toBeLessThan(0.05)
  })

  it('leaves small weights in float32', async () => {
    const { end } = await descend([10, 10], '8-bit', 20)
    expect(end).toEqual((await descend([10, 10], 'float32', 20)).end)
  })
})
