/** Number formats that checkpoints are read from, by their names in safetensors. */
export type FloatFormat = 'F32' | 'BF16' | 'F16'

export const bytesPerValue: Readonly<Record<FloatFormat, number>> = { F32: 4, BF16: 2, F16: 2 }

/** Little-endian bytes as float32; all three formats convert exactly. */
export function decodeFloats(format: FloatFormat, bytes: Uint8Array, into: Float32Array): void {
  if (format === 'F32') {
    new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(bytes)
    return
  }
  // A copy where needed: 16-bit views must start at an even offset.
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice()
  const halves = new Uint16Array(aligned.buffer, aligned.byteOffset, into.length)
  if (format === 'BF16') {
    const bits = new Uint32Array(into.buffer, into.byteOffset, into.length)
    for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16
  } else {
    const table = float16Table()
    for (let i = 0; i < halves.length; i++) into[i] = table[halves[i]!]!
  }
}

/** float32 as little-endian bytes; bfloat16 rounds to nearest, ties to even. */
export function encodeFloats(format: 'F32' | 'BF16', values: Float32Array): Uint8Array {
  if (format === 'F32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const halves = new Uint16Array(values.length)
  for (let i = 0; i < bits.length; i++) {
    const x = bits[i]!
    // Rounding could carry a NaN into an infinity, so NaN keeps a bit of its mantissa instead.
    const isNaN = (x & 0x7fffffff) > 0x7f800000
    halves[i] = isNaN ? (x >>> 16) | 0x40 : (x + 0x7fff + ((x >>> 16) & 1)) >>> 16
  }
  return new Uint8Array(halves.buffer)
}

let table: Float32Array | undefined

/** All 65,536 values of float16 (IEEE 754 binary16). */
export function float16Table(): Float32Array {
  table ??= Float32Array.from({ length: 65536 }, (_, half) => {
    const sign = half & 0x8000 ? -1 : 1
    const exponent = (half >> 10) & 31
    const fraction = half & 1023
    if (exponent === 31) return fraction ? NaN : sign * Infinity
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024))
  })
  return table
}
