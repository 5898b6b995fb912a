import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { describe, expect, it } from 'vitest'
import { hiddenStates } from '../../src/model/forward.js'
import { disposeWeights, zeroWeights } from '../../src/model/weights.js'
import type { Weights } from '../../src/model/weights.js'
import { compile, compileCount } from '../../src/tensor/compile.js'
import type { Traced } from '../../src/tensor/compile.js'
import { int32 } from '../../src/tensor/host-tensor.js'
import type { HostTensor } from '../../src/tensor/host-tensor.js'
import { native, tf } from '../../src/tensor/runtime.js'
import { tinyConfig, tinyWeights } from '../tiny-model.js'

type Tensor = TensorFlow.Tensor

const ROWS = 32
const TIME = 256
const STEPS = 24

/** Resident memory in MB. */
const resident = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) / 1000

const step = compile('step', ({ ids }: Traced<{ ids: HostTensor }>, state: { weights: Weights; sums: Weights }) => {
  const keys = Object.keys(state.weights)
  const loss = (...values: Tensor[]): TensorFlow.Scalar =>
    hiddenStates(tinyConfig, Object.fromEntries(keys.map((key, i) => [key, values[i]!])), ids)
      .square()
      .mean()
  const { value, grads } = tf.valueAndGrads(loss)(keys.map((key) => state.weights[key]!.read()))
  keys.forEach((key, i) => state.sums[key]!.add(grads[i]!))
  return { value }
})

describe.skipIf(process.platform !== 'linux')('memory of training steps', () => {
  it('is level over steps of one shape, and is given back', { timeout: 300_000 }, async () => {
    const tensors = native.getNumOfTensors()
    const weights = await tinyWeights(tinyConfig, 1)
    const sums = await zeroWeights(weights)
    const ids = int32(
      Int32Array.from({ length: ROWS * TIME }, (_, i) => (i * 7919) % 96),
      [ROWS, TIME],
    )
    const before = resident()
    const after: number[] = []
    let compiled = 0
    for (let i = 0; i < STEPS; i++) {
      await step({ ids }, { weights, sums })
      if (i === 0) compiled = compileCount()
      after.push(resident())
    }
    expect(compileCount()).toBe(compiled)
    const third = after.slice(-STEPS / 3)
    expect(Math.max(...third) - Math.min(...third)).toBeLessThan(100)
    disposeWeights(weights)
    disposeWeights(sums)
    step.dispose()
    await setTimeout(100)
    expect(native.getNumOfTensors()).toBe(tensors)
    // One layer's attention scores alone are 33 MB; a pool that grows and never shrinks still held 230 MB here.
    expect(resident() - before).toBeLessThan(120)
  })
})
