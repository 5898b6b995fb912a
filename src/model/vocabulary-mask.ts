import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { tf } from '../tensor/runtime.js'
import { MASKED } from './attend.js'

type Tensor = TensorFlow.Tensor

/**
 * Takes padding rows of the embedding out of the distribution: an embedding may have more rows than the tokenizer has ids.
 * Whoever samples and whoever takes log-probabilities must do it alike, or one distribution is wider than the other.
 * @param rows Rows of the embedding.
 * @param vocabulary Number of the tokenizer's ids, which are the first ones.
 * @returns from logits [n, rows] to logits of the same shape, whose columns from `vocabulary` on have no probability
 */
export function vocabularyMask(rows: number, vocabulary: number): (logits: Tensor) => Tensor {
  if (vocabulary >= rows) return (logits) => logits
  // Not a mask to add: that would be a constant of the graph, as long as the vocabulary.
  return (logits) => {
    const known = logits.slice([0, 0], [logits.shape[0], vocabulary])
    const paddings: [number, number][] = [
      [0, 0],
      [0, rows - vocabulary],
    ]
    return tf.pad(known, paddings, MASKED)
  }
}
