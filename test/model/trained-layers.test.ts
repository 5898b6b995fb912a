import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { afterEach, describe, expect, it } from 'vitest'
import { attend, MASKED, perHead } from '../../src/model/attend.js'
import { attendCausally } from '../../src/model/causal-attention.js'
import { attendInChunks } from '../../src/model/chunked-attention.js'
import type { ModelConfig } from '../../src/model/config.js'
import { hiddenStates } from '../../src/model/forward.js'
import { targetLogprobs } from '../../src/model/target-logprobs.js'
import { addEmbeddingGradient, embedTokens, runTrainedLayers } from '../../src/model/trained-layers.js'
import { disposeWeights, downloadWeight, readWeights, zeroWeights } from '../../src/model/weights.js'
import type { Weights } from '../../src/model/weights.js'
import { createRandom } from '../../src/random/seeded-random.js'
import { compile } from '../../src/tensor/compile.js'
import type { Traced } from '../../src/tensor/compile.js'
import { float32, int32 } from '../../src/tensor/host-tensor.js'
import type { HostTensor } from '../../src/tensor/host-tensor.js'
import { tf } from '../../src/tensor/runtime.js'
import { tinyConfig, tinyWeights } from '../tiny-model.js'

type Tensor = TensorFlow.Tensor

const random = createRandom(5)
const values = (shape: number[]): HostTensor =>
  float32(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random() - 0.5),
    shape,
  )

function expectClose(actual: HostTensor, expected: HostTensor, digits: number): void {
  expect(actual.shape).toEqual(expected.shape)
  actual.data.forEach((value, i) => expect(value).toBeCloseTo(expected.data[i]!, digits))
}

describe('attention in pieces and in one pass', () => {
  /** Where the sequence of each token begins: padding in front of the second row, or several sequences in each. */
  const padded = int32([0, 7])
  const packed = (time: number): HostTensor =>
    int32([0, 1].flatMap((row) => Array.from({ length: time }, (_, t) => (t < 20 ? 0 : t < 90 + row ? 20 : 90 + row))), [2, time]) // prettier-ignore
  it.each<
    [string, { time?: number; window?: number; cap?: number; headDim?: number; starts?: 'packed'; shared?: number[] }]
  >([
    ['all that is before', {}],
    ['a length that fills its blocks, heads of an odd width', { time: 128, headDim: 6 }],
    ['one token', { time: 1 }],
    ['a window', { window: 40 }],
    ['a window, with a bound on scores', { window: 40, cap: 2 }],
    ['several sequences in a row', { starts: 'packed' }],
    ['several sequences behind a common beginning', { starts: 'packed', shared: [20, 0], cap: 2 }],
  ])('is that of the whole, gradients included: %s', async (_name, of) => {
    const { time = 300, window = Infinity, headDim = 8 } = of
    const config: ModelConfig = { ...tinyConfig, headDim, ...(of.cap && { attentionSoftCap: of.cap }) }
    const inputs = {
      q: values([2, time, 4 * headDim]),
      k: values([2, time, 2 * headDim]),
      v: values([2, time, 2 * headDim]),
      dy: values([2, time, 4 * headDim]),
      cos: values([2, 1, time, headDim]),
      sin: values([2, 1, time, headDim]),
      starts: of.starts ? packed(time) : padded,
      ...(of.shared && { shared: int32(of.shared) }),
    }
    const run = compile('attention', (i: Traced<typeof inputs>) => {
      const columns = tf.range(0, time, 1, 'int32').reshape([1, 1, time])
      const rows = columns.reshape([1, time, 1])
      const starts = i.starts.reshape([2, -1, 1])
      const own = tf.greaterEqual(columns, starts)
      const heardOf = i.shared ? own.logicalOr(tf.less(columns, i.shared.reshape([2, 1, 1]))) : own
      const seen = tf.lessEqual(columns, rows).logicalAnd(heardOf)
      const near =
        window === Infinity ? seen : seen.logicalAnd(tf.greater(columns, rows.sub(tf.scalar(window, 'int32'))))
      const mask = tf.sub(1, near.toFloat()).mul(MASKED).reshape([2, 1, 1, time, time])
      // What padding sees means nothing.
      const heard = i.dy.mul(tf.greaterEqual(rows, starts).toFloat())
      const rotation = { cos: i.cos, sin: i.sin }
      const turned = (q: Tensor, k: Tensor, v: Tensor) => perHead(config, { q, k, v }, rotation)
      const visibility = { window, starts: i.starts, ...(i.shared && { shared: i.shared }) }
      const all = [
        (q: Tensor, k: Tensor, v: Tensor) => attend(config, turned(q, k, v), mask),
        (q: Tensor, k: Tensor, v: Tensor) => attendInChunks(config, turned(q, k, v), window, i.starts, i.shared),
        (q: Tensor, k: Tensor, v: Tensor) => attendCausally(config, { q, k, v }, rotation, visibility),
      ].map((attention) => {
        const [dq, dk, dv] = tf.grads(attention)([i.q, i.k, i.v], heard)
        return { y: attention(i.q, i.k, i.v).mul(heard), dq: dq!, dk: dk!, dv: dv! }
      })
      const named = all.flatMap((result, n) => Object.entries(result).map(([key, tensor]) => [`${key}${n}`, tensor]))
      return Object.fromEntries(named) as Record<string, Tensor>
    })
    const result = await run(inputs, undefined)
    for (const key of ['y', 'dq', 'dk', 'dv'])
      for (const way of [1, 2]) expectClose(result[`${key}${way}`]!, result[`${key}0`]!, 5)
    run.dispose()
  })
})

describe('layers that learn', () => {
  const open: Weights[] = []
  afterEach(() => open.splice(0).forEach(disposeWeights))

  const config: ModelConfig = {
    ...tinyConfig,
    outputNorms: true,
    sliding: { layers: [false, true], window: 5, rope: { theta: 100 } },
  }
  const inputs = {
    ids: int32([4, 8, 15, 16, 23, 42, 8, 15, 4, 4], [2, 5]),
    targets: int32([1, 2, 3, 90, 5, 6, 7, 8, 9, 0]),
  }

  async function gradientsOf(
    hidden: (state: { weights: Weights; gradients: Weights }, ids: Tensor, embedded: Tensor) => Tensor,
  ): Promise<{ loss: number; gradients: Float32Array[] }> {
    const weights = await tinyWeights(config, 2)
    const gradients = await zeroWeights(weights)
    open.push(weights, gradients)
    const step = compile('step', (i: Traced<typeof inputs>, state: { weights: Weights; gradients: Weights }) => {
      const objective = (embedded: Tensor): TensorFlow.Scalar => {
        const rows = hidden(state, i.ids, embedded).reshape([10, 32])
        const head = { weight: state.weights['embed']!, gradient: state.gradients['embed']! }
        return targetLogprobs(config, head, rows, i.targets, { vocabulary: 95, temperature: 2 }).mean()
      }
      const { value, grad } = tf.valueAndGrad(objective)(embedTokens(config, state, i.ids))
      addEmbeddingGradient(config, state, i.ids, grad)
      return { loss: value }
    })
    const { loss } = await step(inputs, { weights, gradients })
    step.dispose()
    const all = await Promise.all(Object.values(gradients).map(downloadWeight))
    return { loss: loss.data[0]!, gradients: all }
  }

  it('have the same gradients bit for bit, kept or computed again', async () => {
    const [kept, again] = [
      await gradientsOf((state, ids, x) => runTrainedLayers(config, state, ids, x, { keep: Infinity })),
      await gradientsOf((state, ids, x) => runTrainedLayers(config, state, ids, x, { keep: 0 })),
    ]
    expect(kept).toEqual(again)
    expect(kept.gradients.every((gradient) => gradient.some((value) => value !== 0))).toBe(true)
  })

  it('have the gradients that tfjs takes of the whole', async () => {
    const ours = await gradientsOf((state, ids, x) => runTrainedLayers(config, state, ids, x))
    const weights = await tinyWeights(config, 2)
    open.push(weights)
    const keys = Object.keys(weights)
    const whole = compile('whole', (i: Traced<typeof inputs>, state: Weights) => {
      const read = readWeights(state)
      const objective = (...tensors: Tensor[]): TensorFlow.Scalar => {
        const named = Object.fromEntries(keys.map((key, n) => [key, tensors[n]!]))
        const logits = tf.matMul(hiddenStates(config, named, i.ids).reshape([10, 32]), named['embed']!, false, true)
        const known = logits.slice([0, 0], [10, 95]).div(2)
        return tf.logSoftmax(known).mul(tf.oneHot(i.targets, 95)).sum().div(10)
      }
      const { value, grads } = tf.valueAndGrads(objective)(keys.map((key) => read[key]!))
      return Object.fromEntries([['loss', value as Tensor], ...keys.map((key, n) => [key, grads[n]!] as const)])
    })
    const expected = await whole(inputs, weights)
    whole.dispose()
    expect(ours.loss).toBeCloseTo(expected['loss']!.data[0]!, 5)
    keys.forEach((key, n) => ours.gradients[n]!.forEach((g, i) => expect(g).toBeCloseTo(expected[key]!.data[i]!, 4)))
  })
})
