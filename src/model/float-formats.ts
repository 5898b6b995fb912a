/** Number formats of weights on disk. */
export type FloatFormat = 'F32' | 'BF16' | 'F16'

export const BYTES: Record<FloatFormat, number> = { F32: 4, BF16: 2, F16: 2 }

/** Little-endian bytes to float32 values. */
export function decodeFloats(bytes: Uint8Array, format: FloatFormat): Float32Array {
  // A copy: the view must be aligned, and the result must not hold on to a larger buffer.
  const buffer = bytes.slice().buffer
  if (format === 'F32') return new Float32Array(buffer)
  const halves = new Uint16Array(buffer)
  const bits = new Uint32Array(halves.length)
  if (format === 'BF16') {
    for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16
  } else {
    for (let i = 0; i < halves.length; i++) bits[i] = halfBits(halves[i]!)
  }
  return new Float32Array(bits.buffer)
}

/** Float32 values to little-endian bytes; to bfloat16 by rounding to nearest, ties to even. */
export function encodeFloats(values: Float32Array, format: 'F32' | 'BF16'): Uint8Array {
  if (format === 'F32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const halves = new Uint16Array(values.length)
  for (let i = 0; i < values.length; i++) {
    const b = bits[i]!
    const nan = (b & 0x7fffffff) > 0x7f800000
    halves[i] = nan ? (b >>> 16) | 0x40 : (b + 0x7fff + ((b >>> 16) & 1)) >>> 16
  }
  return new Uint8Array(halves.buffer)
}

/** Bits of a float32 with the value of an IEEE half. */
function halfBits(half: number): number {
  const sign = (half & 0x8000) << 16
  const exponent = (half >>> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0x1f) return (sign | 0x7f800000 | (fraction << 13)) >>> 0
  if (exponent > 0) return (sign | ((exponent + 112) << 23) | (fraction << 13)) >>> 0
  if (fraction === 0) return sign >>> 0
  // A subnormal half is a normal float32: shift the leading bit out.
  const shift = Math.clz32(fraction) - 21
  return (sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13)) >>> 0
}
