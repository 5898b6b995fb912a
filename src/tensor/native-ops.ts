import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { backend, dtypeNumber, tf } from './runtime.js'
import type { OpAttribute } from './runtime.js'
import { attribute, currentTrace, runOp } from './trace.js'
import type { Variable } from './variable.js'

type Tensor = TensorFlow.Tensor

/** Whether what is being traced runs on the CPU by plain functions: where the ops of src/tensor/native work. */
export const hasNativeOps = (): boolean => currentTrace()?.hasNativeOps ?? false

/**
 * One of those ops, without a gradient.
 * @param shapes Of its results, which TensorFlow does not know
 */
export function nativeOp(name: string, attributes: OpAttribute[], inputs: Tensor[], shapes: number[][]): Tensor[] {
  const trace = currentTrace()
  if (!trace?.hasNativeOps) throw new Error(`${name}: it works inside of a plain compiled function on the CPU alone`)
  return runOp(name, attributes, inputs, shapes.length).map(({ id }, i) => {
    trace.setShape(id, shapes[i]!)
    return backend.createOutputTensor({ id, dtype: dtypeNumber.float32, shape: shapes[i]! })
  })
}

/** One that changes variables in place, whose values are among its inputs. */
export function changingOp(
  name: string,
  attributes: OpAttribute[],
  inputs: Tensor[],
  shape: number[],
  variables: readonly Variable[],
): Tensor {
  const [result] = nativeOp(name, attributes, inputs, [shape])
  const [id] = backend.getInputTensorIds([result!])
  for (const variable of variables) currentTrace()!.changed(variable, id!)
  return result!
}

/**
 * Root-mean-square norm over the last axis, in one pass (row-ops.h).
 * @param weight [width]
 */
export function rmsNorm(x: Tensor, weight: Tensor, epsilon: number): Tensor {
  return withGradient('RmsNorm', [attribute.float('epsilon', epsilon)], [x, weight])
}

/** x · σ(x) · up, in one pass (row-ops.h). */
export function gatedSilu(x: Tensor, up: Tensor): Tensor {
  return withGradient('GatedSilu', [], [x, up])
}

/** An op whose result has the shape of its first input, and whose gradient's op takes that of the result besides. */
function withGradient(name: string, attributes: OpAttribute[], inputs: Tensor[]): Tensor {
  const run = tf.customGrad((...all) => {
    const save = all.pop() as unknown as (tensors: Tensor[]) => void
    const given = all as Tensor[]
    save(given)
    const [value] = nativeOp(name, attributes, given, [given[0]!.shape])
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor[] =>
      nativeOp(`${name}Gradient`, attributes, [...saved, dy], saved.map(({ shape }) => shape)) // prettier-ignore
    return { value: value!, gradFunc }
  })
  return run(...inputs)
}
