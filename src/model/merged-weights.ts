import { compile } from '../tensor/compile.js'
import type { Traced } from '../tensor/compile.js'
import { tf } from '../tensor/runtime.js'
import type { Variable } from '../tensor/variable.js'
import { adapterScale } from './adapter.js'
import type { Adapter } from './adapter.js'
import type { NamedTensor } from './stored-tensors.js'
import { downloadWeight } from './weights.js'
import type { Weights } from './weights.js'

type Matrices = Record<'weight' | 'a' | 'b', Variable>

const merge = compile('merge weight', ({ scale }: Traced<{ scale: number }>, { weight, a, b }: Matrices) => ({
  value: weight.read().add(tf.matMul(b.read(), a.read()).mul(scale)),
}))

/** The weights of a model with its adapter merged in, W + s B A, one after another. What is on the device stays. */
export async function* mergedWeights(weights: Weights, adapter: Adapter): AsyncGenerator<NamedTensor> {
  const scale = adapterScale(adapter)
  for (const [key, weight] of Object.entries(weights)) {
    const module = key.replace(/\.weight$/, '')
    const [a, b] = [adapter.weights[`${module}.loraA`], adapter.weights[`${module}.loraB`]]
    const data = a && b ? ((await merge({ scale }, { weight, a, b })).value.data as Float32Array) : undefined
    yield { key, shape: weight.shape, data: data ?? (await downloadWeight(weight)) }
  }
}
