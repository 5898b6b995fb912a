import { afterAll, beforeAll, expect, it } from 'vitest'
import { disposeWeights, downloadWeight, setWeight } from '../../src/model/weights.js'
import type { Weights } from '../../src/model/weights.js'
import { decodingWeights } from '../../src/policy/decoding-weights.js'
import { native } from '../../src/tensor/runtime.js'
import { trainSupervised } from '../../src/train/supervised.js'
import { letterTokenizer, tinyConfig, tinyWeights } from '../tiny-model.js'

let weights: Weights
beforeAll(async () => {
  weights = await tinyWeights(tinyConfig, 5)
})
afterAll(() => disposeWeights(weights))

const key = 'layers.1.up.weight'
const toBfloat16 = (value: number): number => {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!
  const rounded = (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000
  return new Float32Array(Uint32Array.of(rounded).buffer)[0]!
}

it('is the weights themselves in float32', async () => {
  expect(await decodingWeights(weights, 'float32').current()).toBe(weights)
})

it('copies what products need into bfloat16, follows its changes, and leaves the weights alone', async () => {
  const tensors = native.getNumOfTensors()
  const before = await downloadWeight(weights[key]!)
  const decoded = decodingWeights(weights, 'bfloat16')
  const first = await decoded.current()
  expect(Object.keys(first)).toEqual(Object.keys(weights))
  for (const [name, variable] of Object.entries(first)) {
    if (name.endsWith('.weight')) expect(variable.dtype).toBe('bfloat16')
    else expect(variable).toBe(weights[name])
  }
  expect([...(await downloadWeight(first[key]!))]).toEqual([...before].map(toBfloat16))

  const version = decoded.version()
  const changed = before.map((value) => value * 1.7)
  await setWeight(weights[key]!, changed)
  expect(decoded.version()).toBeGreaterThan(version)
  const second = await decoded.current()
  // In place: nobody who holds them is left with old ones.
  expect(second[key]).toBe(first[key])
  expect([...(await downloadWeight(second[key]!))]).toEqual([...changed].map(toBfloat16))
  expect(await downloadWeight(weights[key]!)).toEqual(changed)

  decoded.dispose()
  expect(native.getNumOfTensors()).toBe(tensors)
  await setWeight(weights[key]!, before)
})

it('follows a step of training', async () => {
  const decoded = decodingWeights(weights, 'bfloat16')
  await decoded.current()
  const version = decoded.version()
  await trainSupervised({
    policy: { config: tinyConfig, weights, tokenizer: letterTokenizer },
    steps: 1,
    batch: () => [{ ids: [3, 4, 5, 6], tokenWeights: [1, 1, 1, 1] }],
    learningRate: 0.1,
    progress: false,
  })
  expect(decoded.version()).toBeGreaterThan(version)
  const copied = await downloadWeight((await decoded.current())[key]!)
  expect([...copied]).toEqual([...(await downloadWeight(weights[key]!))].map(toBfloat16))
  decoded.dispose()
})
