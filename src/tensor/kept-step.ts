import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { tf } from './runtime.js'

type Tensor = TensorFlow.Tensor

/** What `recordSteps` writes down, and what `replaySteps` gives back, in this order. */
type Tape = { kept: Tensor[] } | { given: Tensor[] }

let tape: Tape | undefined

/**
 * A costly step of a computation, with its gradient. Where its result was kept (see `recordSteps`), the gradient of the
 * whole does not compute it again.
 * @param backward From the gradient of the result, the inputs and the result to the gradients of the inputs
 */
export function keptStep(
  inputs: Tensor[],
  forward: (...inputs: Tensor[]) => Tensor,
  backward: (dy: Tensor, inputs: Tensor[], y: Tensor) => Tensor[],
): Tensor {
  const run = tf.customGrad((...all) => {
    const save = all.pop() as unknown as (tensors: Tensor[]) => void
    const given = tape && 'given' in tape ? tape.given.shift() : undefined
    if (tape && 'given' in tape && !given) throw new Error('replaySteps: there are more steps than kept results')
    const y = given?.clone() ?? forward(...(all as Tensor[]))
    save([...(all as Tensor[]), y])
    return { value: y, gradFunc: (dy: Tensor, saved: Tensor[]) => backward(dy, saved.slice(0, -1), saved.at(-1)!) }
  })
  const y = run(...inputs)
  if (tape && 'kept' in tape) tape.kept.push(y)
  return y
}

/** Runs a computation and gives the results of its steps besides. */
export function recordSteps<T>(body: () => T): { result: T; kept: Tensor[] } {
  const kept: Tensor[] = []
  return { result: withTape({ kept }, body), kept }
}

/** Runs the same computation again, with the results that its steps had. */
export function replaySteps<T>(given: readonly Tensor[], body: () => T): T {
  return withTape({ given: [...given] }, body)
}

/** Runs a part whose steps are not worth keeping. */
export function withoutKeeping<T>(body: () => T): T {
  return withTape(undefined, body)
}

function withTape<T>(next: Tape | undefined, body: () => T): T {
  const before = tape
  tape = next
  try {
    return body()
  } finally {
    tape = before
  }
}
