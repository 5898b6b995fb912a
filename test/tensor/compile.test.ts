import { afterEach, describe, expect, it } from 'vitest'
import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { compile, compileCount } from '../../src/tensor/compile.js'
import type { Traced } from '../../src/tensor/compile.js'
import { float32, int32 } from '../../src/tensor/host-tensor.js'
import type { HostTensor } from '../../src/tensor/host-tensor.js'
import { argMax, gatherRows, scatterRows } from '../../src/tensor/ops.js'
import { targetLogprobs } from '../target-logprobs.js'
import { native, tf } from '../../src/tensor/runtime.js'
import { Variable } from '../../src/tensor/variable.js'

type Values = { x: HostTensor }
const variables: Variable[] = []

function variable(shape: number[], name = 'w'): Variable {
  const made = new Variable(shape, 'float32', name)
  variables.push(made)
  return made
}

const assign = compile('assign', ({ x }: Traced<Values>, w: Variable) => {
  w.assign(x)
  return {}
})

const read = compile('read', (_: object, w: Variable) => ({ value: w.read() }))

afterEach(() => {
  variables.splice(0).forEach((w) => w.dispose())
})

const close = (actual: ArrayLike<number>, expected: ArrayLike<number>, digits = 5): void => {
  expect(actual.length).toBe(expected.length)
  for (let i = 0; i < expected.length; i++) expect(actual[i]).toBeCloseTo(expected[i]!, digits)
}

/** A two-layer network with a softmax, as a loss of its first weights. */
function loss(x: TensorFlow.Tensor, w: TensorFlow.Tensor): TensorFlow.Scalar {
  const hidden = tf.matMul(x as TensorFlow.Tensor2D, w as TensorFlow.Tensor2D).relu()
  return tf.softmax(hidden).square().sum()
}

describe('compile', () => {
  const x = float32([1, -2, 3, 0.5, 0.25, -1], [2, 3])
  const w = float32([0.1, 0.2, -0.3, 0.4, 0.5, -0.6, 0.7, 0.8, 0.9], [3, 3])

  it.each([
    ['a plain graph', {}],
    ['XLA', { xla: true }],
  ])('agrees with eager tfjs, gradients included: %s', async (_name, options) => {
    const compiled = compile(
      'loss and gradient',
      (inputs: Traced<{ x: HostTensor; w: HostTensor }>) => {
        const { value, grad } = tf.valueAndGrad((v: TensorFlow.Tensor) => loss(inputs.x, v))(inputs.w)
        return { value, grad }
      },
      options,
    )
    const result = await compiled({ x, w }, undefined)
    const eager = tf.tidy(() => {
      const { value, grad } = tf.valueAndGrad((v: TensorFlow.Tensor) => loss(tf.tensor(x.data, x.shape), v))(
        tf.tensor(w.data, w.shape),
      )
      return { value: value.dataSync()[0]!, grad: grad.dataSync() }
    })
    expect(result.value.data[0]).toBeCloseTo(eager.value, 6)
    close(result.grad.data, eager.grad, 6)
    compiled.dispose()
  })

  it('computes products in bfloat16 where asked, near the float32 result', async () => {
    const product = (bfloat16: boolean) =>
      compile(
        'product',
        (i: Traced<Values>) => ({ y: tf.matMul(i.x as TensorFlow.Tensor2D, i.x as TensorFlow.Tensor2D) }),
        {
          bfloat16,
        },
      )
    const values = float32(
      Array.from({ length: 64 }, (_, i) => Math.sin(i)),
      [8, 8],
    )
    const exact = (await product(false)({ x: values }, undefined)).y.data
    const rounded = (await product(true)({ x: values }, undefined)).y.data
    expect([...rounded]).not.toEqual([...exact])
    close(rounded, exact, 1)
  })

  it('changes variables in place, reads and writes in the order of the body', async () => {
    const w = variable([2])
    await assign({ x: float32([1, 2]) }, w)
    const step = compile('twice', (i: Traced<Values>, state: { w: Variable }) => {
      const before = state.w.read()
      state.w.add(i.x)
      const between = state.w.read()
      state.w.assign(between.mul(10))
      return { before, between, after: state.w.read() }
    })
    const result = await step({ x: float32([1, 1]) }, { w })
    close(result.before.data, [1, 2])
    close(result.between.data, [2, 3])
    close(result.after.data, [20, 30])
    close((await read({}, w)).value.data, [20, 30])
  })

  it('sees a changed learning rate, which is an input', async () => {
    const w = variable([1])
    await assign({ x: float32([1]) }, w)
    const descend = compile('descend', ({ rate }: Traced<{ rate: number }>, state: Variable) => {
      state.assign(state.read().sub(rate))
      return { w: state.read() }
    })
    close((await descend({ rate: 0.25 }, w)).w.data, [0.75])
    close((await descend({ rate: 0.5 }, w)).w.data, [0.25])
  })

  it('compiles once for a signature, whatever the values and the variables', async () => {
    const scale = compile('scale', ({ x, by }: Traced<Values & { by: number }>, state: Variable) => ({
      y: x.mul(by).add(state.read()),
    }))
    const [a, b] = [variable([2]), variable([2])]
    await assign({ x: float32([0, 0]) }, a)
    await assign({ x: float32([5, 5]) }, b)
    await scale({ x: float32([1, 2]), by: 1 }, a)
    const before = compileCount()
    for (let i = 0; i < 5; i++) await scale({ x: float32([i, i]), by: i }, i % 2 ? a : b)
    expect(compileCount()).toBe(before)
    close((await scale({ x: float32([1, 2]), by: 2 }, b)).y.data, [7, 9])
  })

  it('repeats bit for bit', async () => {
    const f = compile('repeat', ({ x }: Traced<Values>) => ({
      y: tf.softmax(tf.matMul(x as TensorFlow.Tensor2D, x as TensorFlow.Tensor2D)),
    }))
    const values = float32(
      Array.from({ length: 4096 }, (_, i) => Math.sin(i * 7)),
      [64, 64],
    )
    const first = (await f({ x: values }, undefined)).y.data
    for (let i = 0; i < 3; i++) expect((await f({ x: values }, undefined)).y.data).toEqual(first)
  })

  it('leaks nothing over 200 calls, native handles counted', async () => {
    const w = variable([16])
    await assign({ x: float32(new Float32Array(16)) }, w)
    const step = compile('leak', ({ x }: Traced<Values>, state: Variable) => {
      state.add(x)
      return { sum: state.read().sum() }
    })
    await step({ x: float32(new Float32Array(16)) }, w)
    const handles = native.getNumOfTensors()
    const tensors = tf.memory().numTensors
    for (let i = 0; i < 200; i++) await step({ x: float32(new Float32Array(16).fill(i)) }, w)
    expect(native.getNumOfTensors()).toBe(handles)
    expect(tf.memory().numTensors).toBe(tensors)
  })

  // Tried again where another process held up the timer.
  const free =
    'keeps the event loop free: a 5 ms timer never gaps by more than 50 ms during a long step, reads included'
  it(free, { retry: 2 }, async () => {
    const size = 1024
    const work = compile('long', ({ x }: Traced<Values>) => {
      let y: TensorFlow.Tensor = x
      for (let i = 0; i < 60; i++) y = tf.matMul(y as TensorFlow.Tensor2D, x as TensorFlow.Tensor2D).mul(1 / size)
      return { y }
    })
    const values = float32(new Float32Array(size * size).fill(0.5), [size, size])
    await work({ x: values }, undefined)
    let last = performance.now()
    let widest = 0
    const timer = setInterval(() => {
      widest = Math.max(widest, performance.now() - last)
      last = performance.now()
    }, 5)
    const started = performance.now()
    while (performance.now() - started < 2000) await work({ x: values }, undefined)
    clearInterval(timer)
    expect(widest).toBeLessThan(50)
  })

  it('rejects at once when aborted; the step ends in the background and later calls wait for it', async () => {
    const w = variable([1])
    await assign({ x: float32([0]) }, w)
    const step = compile('abort', ({ x }: Traced<Values>, state: Variable) => {
      state.add(x)
      return {}
    })
    await step({ x: float32([1]) }, w)
    const controller = new AbortController()
    const stopped = step({ x: float32([1]) }, w, controller.signal)
    controller.abort()
    await expect(stopped).rejects.toThrow('abort: stopped; the running step ends in the background')
    close((await read({}, w)).value.data, [2])
  })

  it('names operation, rule and values in errors', async () => {
    const w = variable([2, 3], 'layers.0.q')
    const wrong = compile('wrong', ({ x }: Traced<Values>, state: Variable) => {
      state.assign(x)
      return {}
    })
    await expect(wrong({ x: float32([1, 2]) }, w)).rejects.toThrow(
      'assign: variable layers.0.q is float32 [2, 3], got float32 [2]',
    )
    expect(() => float32([1, 2, 3], [2, 2])).toThrow('float32: shape [2, 2] holds 4 values, got 3')
    const outside = tf.tensor1d([1, 2]).add(1)
    const captures = compile('captures', ({ x }: Traced<Values>) => ({ y: x.add(outside) }))
    await expect(captures({ x: float32([1, 2]) }, undefined)).rejects.toThrow('made outside of the function')
    outside.dispose()
    const reads = compile('reads', ({ x }: Traced<Values>) => ({ y: x.mul(x.dataSync()[0]!) }))
    await expect(reads({ x: float32([1, 2]) }, undefined)).rejects.toThrow(
      'a value was read inside of a compiled function',
    )
    const random = compile('random', ({ x }: Traced<Values>) => ({ y: x.add(tf.randomNormal([2])) }))
    await expect(random({ x: float32([1, 2]) }, undefined)).rejects.toThrow('random numbers would freeze')
    expect(Math.random()).toBeLessThan(1)
  })
})

describe('ops', () => {
  it('gathers rows and gives the gradient of a table, repeated ids included', async () => {
    const f = compile('gather', (i: Traced<{ table: HostTensor; ids: HostTensor }>) => {
      const objective = (t: TensorFlow.Tensor): TensorFlow.Scalar => gatherRows(t, i.ids).square().sum()
      const { value, grad } = tf.valueAndGrad(objective)(i.table)
      return { value, grad }
    })
    const result = await f({ table: float32([1, 2, 3, 4], [2, 2]), ids: int32([1, 1, 0]) }, undefined)
    // 2 · (3² + 4²) + 1² + 2², and twice 2 · row for the repeated row.
    expect(result.value.data[0]).toBeCloseTo(55)
    close(result.grad.data, [2, 4, 12, 16])
  })

  it('gives log-probabilities of targets and their gradient (softmax minus one-hot)', async () => {
    const f = compile('logprobs', (i: Traced<{ logits: HostTensor; targets: HostTensor }>) => {
      const objective = (l: TensorFlow.Tensor): TensorFlow.Scalar => targetLogprobs(l, i.targets).sum()
      const { value, grad } = tf.valueAndGrad(objective)(i.logits)
      return { value, grad }
    })
    const result = await f({ logits: float32([0, 0, Math.log(2)], [1, 3]), targets: int32([2]) }, undefined)
    expect(result.value.data[0]).toBeCloseTo(Math.log(0.5))
    close(result.grad.data, [-0.25, -0.25, 0.5])
  })

  it('scatters rows and finds the largest value', async () => {
    const f = compile('scatter', (i: Traced<{ values: HostTensor; indices: HostTensor; updates: HostTensor }>) => {
      const y = scatterRows(i.values, i.indices, i.updates)
      return { y, largest: argMax(y) }
    })
    const result = await f(
      { values: float32([1, 2, 3, 4], [2, 2]), indices: int32([1], [1, 1]), updates: float32([9, 8], [1, 2]) },
      undefined,
    )
    close(result.y.data, [1, 2, 9, 8])
    expect([...result.largest.data]).toEqual([1, 0])
  })
})

describe('variables narrower than float32', () => {
  const set = compile('set', ({ x }: Traced<Values>, w: Variable) => {
    w.assign(x)
    return {}
  })
  const get = compile('get', (_: object, w: Variable) => ({ value: w.read() }))

  it.each([
    ['bfloat16', [1, -2.5, 1.00390625, 3e38], [1, -2.5, 1, 3e38]],
    ['int8', [-128, 127, 3.9, -3.9], [-128, 127, 3, -3]],
    ['uint8', [0, 255, 200.7, 1], [0, 255, 200, 1]],
  ] as const)('%s: what is read is float32, in functions and outside of them', async (dtype, given, kept) => {
    const w = new Variable([4], dtype)
    variables.push(w)
    await set({ x: float32(given) }, w)
    const tensors = native.getNumOfTensors()
    const read = (await get({}, w)).value.data
    kept.forEach((value, i) => expect(read[i]! / (value || 1)).toBeCloseTo(value ? 1 : 0, 2))
    const eager = w.read()
    expect([...eager.dataSync()]).toEqual([...read])
    w.assign(eager)
    eager.dispose()
    expect(native.getNumOfTensors()).toBe(tensors)
    expect((await get({}, w)).value.data).toEqual(read)
    expect(() => w.assign(tf.tensor1d([1, 2, 3]))).toThrow('is float32 [4], got float32 [3]')
  })

  it('multiply in bfloat16 as the same numbers in float32 do', async () => {
    const product = compile(
      'product',
      ({ x }: Traced<Values>, w: Variable) => ({
        y: tf.matMul(x as TensorFlow.Tensor2D, w.read() as TensorFlow.Tensor2D),
      }),
      { bfloat16: true },
    )
    const numbers = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i))
    const x = float32(numbers, [8, 8])
    const results = []
    for (const dtype of ['float32', 'bfloat16'] as const) {
      const w = new Variable([8, 8], dtype)
      variables.push(w)
      await set({ x }, w)
      results.push((await product({ x }, w)).y.data)
    }
    expect(results[1]).toEqual(results[0])
  })
})
