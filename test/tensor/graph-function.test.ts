import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { afterEach, describe, expect, it } from 'vitest'
import { compile } from '../../src/tensor/compile.js'
import type { Traced } from '../../src/tensor/compile.js'
import { graphFunction } from '../../src/tensor/graph-function.js'
import { float32, int32 } from '../../src/tensor/host-tensor.js'
import type { HostTensor } from '../../src/tensor/host-tensor.js'
import { scatterAddRows } from '../../src/tensor/ops.js'
import { native, tf } from '../../src/tensor/runtime.js'
import { Variable } from '../../src/tensor/variable.js'

type Tensor = TensorFlow.Tensor
type Values = { x: HostTensor }

const variables: Variable[] = []
async function variable(values: number[], shape = [values.length]): Promise<Variable> {
  const made = new Variable(shape)
  variables.push(made)
  await assign({ x: float32(values, shape) }, made)
  return made
}
afterEach(() => variables.splice(0).forEach((w) => w.dispose()))

const assign = compile('assign', ({ x }: Traced<Values>, w: Variable) => {
  w.assign(x)
  return {}
})
const read = compile('read', (_: object, w: Variable) => ({ value: w.read() }))
const valueOf = async (w: Variable): Promise<number[]> => [...(await read({}, w)).value.data]

describe('graphFunction', () => {
  it('is traced once for all calls of one signature, each with its own variables', async () => {
    let traced = 0
    const scale = graphFunction('scale', ({ x }: { x: Tensor }, { w }: { w: Variable }) => {
      traced++
      return { y: x.mul(w.read()) }
    })
    const product = compile('product', ({ x }: Traced<Values>, state: { w: Variable }[]) => {
      let y: Tensor = x
      for (const part of state) y = scale({ x: y }, part).y
      return { y }
    })
    const state = await Promise.all([2, 3, 5].map(async (factor) => ({ w: await variable([factor, 1]) })))
    expect([...(await product({ x: float32([1, 1]) }, state)).y.data]).toEqual([30, 1])
    expect(traced).toBe(1)
  })

  it('changes variables in the order of the caller’s body', async () => {
    const bump = graphFunction('bump', ({ by }: { by: Tensor }, w: Variable) => {
      const before = w.read()
      w.add(by)
      return { before }
    })
    const w = await variable([1])
    const both = compile('both', ({ x }: Traced<Values>, state: Variable) => {
      const first = bump({ by: x }, state).before
      state.assign(state.read().mul(10))
      const second = bump({ by: x }, state).before
      return { first, second, after: state.read() }
    })
    const result = await both({ x: float32([1]) }, w)
    expect([result.first, result.second, result.after].map(({ data }) => data[0])).toEqual([1, 20, 21])
    expect(await valueOf(w)).toEqual([21])
  })

  it('works within XLA, within another one, and with a variable that is not in its state', async () => {
    const w = await variable([3])
    const inner = graphFunction('inner', ({ x }: { x: Tensor }, _: null) => ({ y: x.mul(w.read()) }))
    const outer = graphFunction('outer', ({ x }: { x: Tensor }, _: null) => ({
      y: inner({ x: x.add(1) }, null).y.neg(),
    }))
    for (const xla of [false, true]) {
      const run = compile('run', ({ x }: Traced<Values>) => ({ y: outer({ x }, null).y.add(inner({ x }, null).y) }), {
        xla,
      })
      expect([...(await run({ x: float32([2]) }, undefined)).y.data]).toEqual([-3])
      run.dispose()
    }
  })

  it('gives gradients through tf.customGrad, taken inside of a function of their own', async () => {
    const part = (x: Tensor, w: Tensor): Tensor => tf.sin(x.mul(w))
    const forward = graphFunction('part', ({ x }: { x: Tensor }, w: Variable) => ({ y: part(x, w.read()) }))
    const backward = graphFunction(
      'gradient of part',
      ({ x, dy }: { x: Tensor; dy: Tensor }, { w, dw }: Record<'w' | 'dw', Variable>) => {
        const [dx, change] = tf.grads(part)([x, w.read()], dy)
        dw.add(change!)
        return { dx: dx! }
      },
    )
    const state = await Promise.all([1, 2, 3].map(async (w) => ({ w: await variable([w]), dw: await variable([0]) })))
    const chain = (x: Tensor, parts: typeof state): Tensor =>
      parts.reduce((y, each) => {
        const run = tf.customGrad((input, save) => {
          ;(save as (tensors: Tensor[]) => void)([input as Tensor])
          return {
            value: forward({ x: input as Tensor }, each.w).y,
            gradFunc: (dy: Tensor, [saved]: Tensor[]) => backward({ x: saved!, dy }, each).dx,
          }
        })
        return run(y)
      }, x)
    const step = compile('step', ({ x }: Traced<Values>, parts: typeof state) => {
      const { value, grad } = tf.valueAndGrad((input: Tensor) => chain(input, parts).sum())(x)
      return { value, grad }
    })
    const { value, grad } = await step({ x: float32([0.7]) }, state)
    const eager = tf.tidy(() => {
      const inputs = [0.7, 1, 2, 3].map((v) => tf.tensor1d([v]))
      const objective = (x: Tensor, ...w: Tensor[]): Tensor => w.reduce(part, x).sum()
      const all = tf.valueAndGrads(objective)(inputs)
      return [all.value, ...all.grads].map((tensor) => tensor.dataSync()[0]!)
    })
    const changes = await Promise.all(state.map(({ dw }) => valueOf(dw)))
    const ours = [value.data[0]!, grad.data[0]!, ...changes.flat()]
    eager.forEach((expected, i) => expect(ours[i]).toBeCloseTo(expected, 6))
  })

  it('is removed with the function that calls it, and refuses to be called outside of one', async () => {
    const twice = graphFunction('twice', ({ x }: { x: Tensor }, _: null) => ({ y: x.add(x) }))
    const x = tf.tensor1d([1])
    expect(() => twice({ x }, null)).toThrow('twice: a graph function can only be called inside of a compiled function')
    x.dispose()
    const removed: string[] = []
    const run = compile('run', ({ x }: Traced<Values>) => twice({ x }, null))
    await run({ x: float32([1]) }, undefined)
    const removeFunction = native.removeFunction.bind(native)
    Object.defineProperty(native, 'removeFunction', {
      configurable: true,
      value: (name: string) => {
        removed.push(name)
        removeFunction(name)
      },
    })
    run.dispose()
    Object.defineProperty(native, 'removeFunction', { configurable: true, value: removeFunction })
    expect(removed.some((name) => name.includes('twice'))).toBe(true)
  })
})

describe('scatterAddRows', () => {
  it('sums rows of the same place, and leaves other places alone', async () => {
    const table = await variable([1, 1, 2, 2, 3, 3], [3, 2])
    const add = compile('scatter', (i: Traced<{ ids: HostTensor; rows: HostTensor }>, state: Variable) => {
      scatterAddRows(state, i.ids, i.rows)
      return {}
    })
    await add({ ids: int32([2, 0, 2]), rows: float32([1, 2, 10, 20, 3, 4], [3, 2]) }, table)
    expect(await valueOf(table)).toEqual([11, 21, 2, 2, 7, 9])
  })
})
