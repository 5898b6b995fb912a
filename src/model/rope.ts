import type { ModelConfig } from './config.js'

/** Inverse frequencies of the rotary embedding, one per pair of dimensions, with Llama 3's scaling where configured. */
export function inverseFrequencies(config: ModelConfig): Float64Array {
  const half = config.headDim / 2
  const frequencies = Float64Array.from({ length: half }, (_, i) => config.ropeTheta ** (-i / half))
  const scaling = config.ropeScaling
  if (!scaling) return frequencies
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
export function ropeTables(config: ModelConfig, length: number): { cos: Float32Array; sin: Float32Array } {
  const frequencies = inverseFrequencies(config)
  const half = frequencies.length
  const cos = new Float32Array(length * config.headDim)
  const sin = new Float32Array(length * config.headDim)
  for (let position = 0; position < length; position++) {
    for (let i = 0; i < half; i++) {
      // transformers computes the angle in float32.
      const angle = Math.fround(position * Math.fround(frequencies[i]!))
      const at = position * config.headDim + i
      cos[at] = cos[at + half] = Math.cos(angle)
      sin[at] = sin[at + half] = Math.sin(angle)
    }
  }
  return { cos, sin }
}
