import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { tf } from '../src/tensor/runtime.js'
import { attribute, op } from '../src/tensor/trace.js'

type Tensor = TensorFlow.Tensor

/**
 * Log-probability of each target under a softmax over the last axis.
 * @param logits [n, vocabulary]
 * @param targets int32 [n]
 * @returns [n]
 */
export function targetLogprobs(logits: Tensor, targets: Tensor): Tensor {
  const attributes = [attribute.type('T', 'float32'), attribute.type('Tlabels', 'int32')]
  const logprobs = tf.customGrad((x, save) => {
    const [loss, gradient] = op('SparseSoftmaxCrossEntropyWithLogits', attributes, [x as Tensor, targets], 2)
    ;(save as (tensors: Tensor[]) => void)([gradient!])
    return {
      value: loss!.neg(),
      gradFunc: (dy: Tensor, saved: Tensor[]) => [saved[0]!.mul(dy.neg().expandDims(1))],
    }
  })
  return logprobs(logits)
}
