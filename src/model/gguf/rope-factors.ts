import { inverseFrequencies } from '../rope.js'

/** float32 holds a factor to 6e-8 of it; what is worked out from two of them is less exact. */
const TOLERANCE = 1e-4

/**
 * The parameters of Llama 3's rotary scaling (`rope_scaling` in config.json) out of the factors that llama.cpp keeps
 * instead: each pair of dimensions turns `factor` times slower. One is 1 for short waves, `F` for long ones, and between
 * them 1 / factor = (1 - s) / F + s, where s = (positions / wavelength - low) / (high - low) is linear in the frequency.
 * Positions, low and high count only in proportion, so low is 1.
 * @returns null where the factors change nothing
 * @throws where they are not such factors
 */
export function llama3Scaling(factors: Float32Array, theta: number, headDim: number): object | null {
  const refuse = (): Error =>
    new Error('the factors in rope_freqs.weight are not those of Llama 3; others are not supported')
  const frequencies = inverseFrequencies({ theta }, headDim)
  if (factors.length !== frequencies.length || !factors.every((f) => f >= 1 && Number.isFinite(f))) throw refuse()
  const factor = Math.max(...factors)
  if (factor === 1) return null
  const smooth = [...factors].map((f) => (1 / f - 1 / factor) / (1 - 1 / factor))
  const between = smooth.flatMap((s, i) => (s > TOLERANCE && s < 1 - TOLERANCE ? [i] : []))
  const [first, last] = [between[0], between.at(-1)]
  if (first === undefined || last === undefined || first === last) throw refuse()
  const slope = (smooth[first]! - smooth[last]!) / (frequencies[first]! - frequencies[last]!)
  // Both are round numbers in every model.
  const high = round(1 - 1 / (smooth[first]! - slope * frequencies[first]!))
  const positions = Math.round(slope * 2 * Math.PI * (high - 1))
  const scaling = {
    type: 'llama3' as const,
    factor,
    lowFreqFactor: 1,
    highFreqFactor: high,
    originalMaxPositions: positions,
  }
  const scaled = inverseFrequencies({ theta, scaling }, headDim)
  const fits = frequencies.every((f, i) => Math.abs(f / scaled[i]! - factors[i]!) < TOLERANCE * factors[i]!)
  if (!(high > 1 && positions > 0 && fits)) throw refuse()
  return {
    rope_type: 'llama3',
    factor,
    low_freq_factor: 1,
    high_freq_factor: high,
    original_max_position_embeddings: positions,
  }
}

const round = (value: number): number => Number(value.toPrecision(4))
