import { describe, expect, it } from 'vitest'
import { createRandom } from '../../src/random/seeded-random.js'
import { compile } from '../../src/tensor/compile.js'
import type { Traced } from '../../src/tensor/compile.js'
import { float32 } from '../../src/tensor/host-tensor.js'
import type { HostTensor } from '../../src/tensor/host-tensor.js'
import { gatedSilu, nativeOp, rmsNorm } from '../../src/tensor/native-ops.js'
import { tf } from '../../src/tensor/runtime.js'

const EPSILON = 1e-5

function values(rows: number, width: number, seed: number): HostTensor {
  const random = createRandom(seed)
  return float32(
    Float32Array.from({ length: rows * width }, () => 6 * random() - 3),
    [rows, width],
  )
}

const rowOf = ({ data }: HostTensor, row: number, width: number): number[] => [
  ...data.subarray(row * width, (row + 1) * width),
]
const dot = (a: number[], b: number[]): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0)
const expectClose = (actual: number[], expected: number[]): void =>
  actual.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 4))

// Widths that fill sixteen lanes, and some that do not; rows of more than one part.
describe.each([
  [3, 16],
  [600, 20],
  [257, 7],
])('ops in one pass over %i rows of %i', (rows, width) => {
  const inputs = { x: values(rows, width, 1), up: values(rows, width, 2), dy: values(rows, width, 3) }
  const weight = float32(Float32Array.from({ length: width }, (_, i) => 0.5 + 0.1 * i))

  it('norm and its gradient are what the definition says', async () => {
    const run = compile('norm', ({ x, dy, weight }: Traced<typeof inputs & { weight: HostTensor }>) => {
      const [dx, dWeight] = tf.grads((x, weight) => rmsNorm(x, weight, EPSILON))([x, weight], dy)
      return { y: rmsNorm(x, weight, EPSILON), dx: dx!, dWeight: dWeight! }
    })
    const { y, dx, dWeight } = await run({ ...inputs, weight }, null)
    run.dispose()
    const w = [...weight.data]
    const sums = w.map(() => 0)
    for (let row = 0; row < rows; row++) {
      const [x, dy] = [rowOf(inputs.x, row, width), rowOf(inputs.dy, row, width)]
      const scale = 1 / Math.sqrt(dot(x, x) / width + EPSILON)
      const g = dy.map((change, i) => change * w[i]!)
      const mean = (dot(g, x) * scale) / width
      dy.forEach((change, i) => (sums[i]! += change * x[i]! * scale))
      if (row % 50 > 2 && row < rows - 2) continue
      expectClose(
        rowOf(y, row, width),
        x.map((value, i) => value * scale * w[i]!),
      )
      expectClose(
        rowOf(dx, row, width),
        x.map((value, i) => (g[i]! - value * scale * mean) * scale),
      )
    }
    sums.forEach((sum, i) => expect(dWeight.data[i]! / sum).toBeCloseTo(1, 3))
  })

  it('gated SiLU and its gradient are what the definition says', async () => {
    const run = compile('gate', ({ x, up, dy }: Traced<typeof inputs>) => {
      const [dx, dUp] = tf.grads(gatedSilu)([x, up], dy)
      return { y: gatedSilu(x, up), dx: dx!, dUp: dUp! }
    })
    const { y, dx, dUp } = await run(inputs, null)
    run.dispose()
    const all = ({ data }: HostTensor): number[] => [...data]
    const [x, up, dy] = [all(inputs.x), all(inputs.up), all(inputs.dy)]
    const sigmoid = x.map((value) => 1 / (1 + Math.exp(-value)))
    expectClose(all(y), x.map((value, i) => value * sigmoid[i]! * up[i]!)) // prettier-ignore
    expectClose(all(dUp), x.map((value, i) => dy[i]! * value * sigmoid[i]!)) // prettier-ignore
    expectClose(all(dx), x.map((value, i) => dy[i]! * up[i]! * sigmoid[i]! * (1 + value * (1 - sigmoid[i]!)))) // prettier-ignore
  })

  it('give a row the same bits alone and among others', async () => {
    const run = compile('rows', ({ x, up, weight }: Traced<Record<'x' | 'up' | 'weight', HostTensor>>) => ({
      normed: rmsNorm(x, weight, EPSILON),
      gated: gatedSilu(x, up),
    }))
    const whole = await run({ x: inputs.x, up: inputs.up, weight }, null)
    const last = rows - 1
    const alone = (of: HostTensor): HostTensor => float32(Float32Array.from(rowOf(of, last, width)), [1, width])
    const one = await run({ x: alone(inputs.x), up: alone(inputs.up), weight }, null)
    expect([...one.normed.data]).toEqual(rowOf(whole.normed, last, width))
    expect([...one.gated.data]).toEqual(rowOf(whole.gated, last, width))
    run.dispose()
  })
})

it('refuses shapes that do not fit, with the op and the rule', async () => {
  const run = compile('wrong', ({ x, up }: Traced<Record<'x' | 'up', HostTensor>>) => ({
    y: nativeOp('GatedSilu', [], [x, up], [x.shape])[0]!,
  }))
  const call = run({ x: values(2, 8, 1), up: values(2, 9, 1) }, null)
  await expect(call).rejects.toThrow('GatedSilu: x and up must have one shape')
  run.dispose()
})
