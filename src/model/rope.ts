import type { Rope } from './family/family.js'

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

/** Cosines and sines for positions 0 … length-1, each [length, headDim], halves repeated as transformers does. */
export function ropeTables(rope: Rope, headDim: number, length: number): { cos: Float32Array; sin: Float32Array } {
  const frequencies = inverseFrequencies(rope, headDim)
  const half = frequencies.length
  const cos = new Float32Array(length * headDim)
  const sin = new Float32Array(length * headDim)
  for (let position = 0; position < length; position++) {
    for (let i = 0; i < half; i++) {
      // transformers computes the angle in float32.
      const angle = Math.fround(position * Math.fround(frequencies[i]!))
      const index = position * headDim + i
      cos[index] = cos[index + half] = Math.cos(angle)
      sin[index] = sin[index + half] = Math.sin(angle)
    }
  }
  return { cos, sin }
}
