import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { tf } from '../tensor/runtime.js'
import type { Rope } from './family/family.js'

type Tensor = TensorFlow.Tensor

/** Cosines and sines of the tokens' positions, broadcast against [batch, heads, time, headDim]. */
export interface Rotation {
  cos: Tensor
  sin: Tensor
}

/** Inverse frequencies of the rotary embedding, one per pair of dimensions. */
export function inverseFrequencies({ theta, scaling }: Rope, headDim: number): Float64Array {
  const half = headDim / 2
  const frequencies = Float64Array.from({ length: half }, (_, i) => theta ** (-i / half))
  if (!scaling) return frequencies
  if (scaling.type === 'linear') return frequencies.map((frequency) => frequency / scaling.factor)
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = scaling
  // transformers, modeling_rope_utils.py (llama3): long wavelengths are stretched, short ones kept, smoothly between.
  return frequencies.map((frequency) => {
    const wavelength = (2 * Math.PI) / frequency
    if (wavelength > originalMaxPositions / lowFreqFactor) return frequency / factor
    if (wavelength < originalMaxPositions / highFreqFactor) return frequency
    const smooth = (originalMaxPositions / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor)
    return ((1 - smooth) * frequency) / factor + smooth * frequency
  })
}

/**
 * Cosines and sines of positions, made inside of the graph.
 * @param positions int32, any shape
 * @returns each [...shape of positions, headDim], halves repeated as transformers does
 */
export function ropeAt(rope: Rope, headDim: number, positions: Tensor): { cos: Tensor; sin: Tensor } {
  const frequencies = tf.tensor1d(Float32Array.from(inverseFrequencies(rope, headDim)))
  // transformers computes the angle in float32.
  const half = positions.toFloat().expandDims(-1).mul(frequencies)
  const angles = tf.concat([half, half], -1)
  return { cos: tf.cos(angles), sin: tf.sin(angles) }
}
