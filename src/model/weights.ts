import { withProgress } from '../host/progress.js'
import { compile } from '../tensor/compile.js'
import type { NoInputs, Traced } from '../tensor/compile.js'
import type { HostTensor } from '../tensor/host-tensor.js'
import { fill } from '../tensor/ops.js'
import { releaseArrays, releaseMemory } from '../tensor/release-memory.js'
import { Variable } from '../tensor/variable.js'
import type { StoredType } from '../tensor/variable.js'
import type { Checkpoint } from './checkpoint.js'
import type { WeightTensors } from './forward.js'

/** A model's weights on the device, by key (see weight-names.ts). */
export type Weights = Record<string, Variable>

const assign = compile('load weight', ({ value }: Traced<{ value: HostTensor }>, variable: Variable) => {
  variable.assign(value)
  return {}
})

const fetch = compile('read weight', (_: NoInputs, variable: Variable) => ({ value: variable.read() }))

const copy = compile('copy weights', (_: NoInputs, state: { from: Variable; to: Variable }) => {
  state.to.assign(state.from.read())
  return {}
})

const fillWith = compile('fill weights', ({ value }: Traced<{ value: number }>, variable: Variable) => {
  variable.assign(fill(variable.shape, value))
  return {}
})

/** Bytes of weights from which on the arrays that they came in are worth collecting. */
const LARGE = 1e8

/** Reads all weights of a checkpoint, or of an adapter, onto the device. Where that fails, none stays there. */
export async function uploadCheckpoint({
  parameters,
  tensors,
}: Pick<Checkpoint, 'parameters' | 'tensors'>): Promise<Weights> {
  const shown = { title: 'reading weights', unit: 'bytes', total: 4 * parameters }
  return withProgress(shown, async (report) => {
    const weights: Weights = {}
    let bytes = 0
    try {
      for await (const { key, shape, data } of tensors()) {
        weights[key] = await uploadWeight(key, shape, data)
        report((bytes += data.byteLength))
      }
    } catch (error) {
      disposeWeights(weights)
      throw error
    }
    if (bytes >= LARGE) await releaseArrays()
    return weights
  })
}

/** Puts one weight on the device. */
export async function uploadWeight(key: string, shape: readonly number[], data: Float32Array): Promise<Variable> {
  const variable = new Variable(shape, 'float32', key)
  await setWeight(variable, data)
  return variable
}

/** Replaces a weight's value. */
export async function setWeight(variable: Variable, data: Float32Array): Promise<void> {
  await assign({ value: { dtype: 'float32', shape: [...variable.shape], data } }, variable)
}

/** A weight's value, in JavaScript's memory. */
export async function downloadWeight(variable: Variable): Promise<Float32Array> {
  return (await fetch({}, variable)).value.data as Float32Array
}

/** All values, one after another. */
export async function* downloadWeights(
  weights: Weights,
): AsyncGenerator<{ key: string; shape: readonly number[]; data: Float32Array }> {
  for (const [key, variable] of Object.entries(weights)) {
    yield { key, shape: variable.shape, data: await downloadWeight(variable) }
  }
}

/**
 * A second, independent copy on the device: the frozen reference of a policy, for one. Where there is no memory for it,
 * nothing of it stays.
 * @param dtype `bfloat16` rounds to nearest even and takes half of the memory. Default float32.
 */
export function cloneWeights(weights: Weights, dtype: 'float32' | 'bfloat16' = 'float32'): Promise<Weights> {
  return filled(sameShapes(weights, dtype), (clones) => copyWeights(weights, clones))
}

/** Gives weights the values of others of the same keys. */
export async function copyWeights(from: Weights, to: Weights): Promise<void> {
  await Promise.all(Object.entries(from).map(([key, variable]) => copy({}, { from: variable, to: to[key]! })))
}

/** Variables of the same shapes, filled with zeros: gradients and optimizer state. */
export function zeroWeights(weights: Weights): Promise<Weights> {
  return filled(sameShapes(weights, 'float32'), clearWeights)
}

/** Sets all to zero. */
export async function clearWeights(weights: Weights): Promise<void> {
  await Promise.all(Object.values(weights).map((variable) => fillWith({ value: 0 }, variable)))
}

/** Variables of the same shapes, without a value yet. */
function sameShapes(weights: Weights, dtype: StoredType): Weights {
  const entries = Object.entries(weights)
  return Object.fromEntries(entries.map(([key, { shape, name }]) => [key, new Variable(shape, dtype, name)]))
}

/** The weights once they are filled; freed where that fails. */
async function filled(weights: Weights, fillIn: (weights: Weights) => Promise<void>): Promise<Weights> {
  try {
    await fillIn(weights)
    return weights
  } catch (error) {
    disposeWeights(weights)
    throw error
  }
}

/** Frees the device memory; what the process no longer needs goes back to the system. */
export function disposeWeights(weights: Weights): void {
  Object.values(weights).forEach((variable) => variable.dispose())
  releaseMemory()
}

/** Values of all weights, inside of a compiled function. */
export function readWeights(weights: Weights): WeightTensors {
  return Object.fromEntries(Object.entries(weights).map(([key, variable]) => [key, variable.read()]))
}
