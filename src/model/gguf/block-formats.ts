import { decodeFloats, float16Table } from '../float-bytes.js'
import type { FloatFormat } from '../float-bytes.js'

/** How a GGUF stores values: blocks of so many values in so many bytes. */
export interface BlockFormat {
  /** Values of a block. */
  values: number
  /** Bytes of a block. */
  bytes: number
  /** Whole blocks to float32. */
  decode(blocks: Uint8Array, into: Float32Array): void
}

/** One block, from byte `at`, to the values from `to` on. `half` reads a float16 at a byte. */
type Decode = (block: Uint8Array, at: number, half: (at: number) => number, into: Float32Array, to: number) => void

// Layouts: ggml-common.h of llama.cpp. Products of a float16 and the few bits of a value are exact in float64 and a
// sum is rounded once, when it is stored: the values are those of float32 arithmetic.

/** A scale; 32 values of 4 bits, less 8. */
const q4_0: Decode = (block, at, half, into, to) => {
  const d = half(at)
  for (let i = 0; i < 16; i++) {
    const byte = block[at + 2 + i]!
    into[to + i] = d * ((byte & 15) - 8)
    into[to + 16 + i] = d * ((byte >> 4) - 8)
  }
}

/** A scale, a minimum; 32 values of 4 bits. */
const q4_1: Decode = (block, at, half, into, to) => {
  const d = half(at)
  const m = half(at + 2)
  for (let i = 0; i < 16; i++) {
    const byte = block[at + 4 + i]!
    into[to + i] = d * (byte & 15) + m
    into[to + 16 + i] = d * (byte >> 4) + m
  }
}

/** A scale; the fifth bits of 32 values, their lower four; less 16. */
const q5_0: Decode = (block, at, half, into, to) => {
  const d = half(at)
  for (let i = 0; i < 16; i++) {
    const byte = block[at + 6 + i]!
    into[to + i] = d * (((byte & 15) | fifthBit(block, at + 2, i)) - 16)
    into[to + 16 + i] = d * (((byte >> 4) | fifthBit(block, at + 2, 16 + i)) - 16)
  }
}

/** A scale, a minimum; the fifth bits of 32 values, their lower four. */
const q5_1: Decode = (block, at, half, into, to) => {
  const d = half(at)
  const m = half(at + 2)
  for (let i = 0; i < 16; i++) {
    const byte = block[at + 8 + i]!
    into[to + i] = d * ((byte & 15) | fifthBit(block, at + 4, i)) + m
    into[to + 16 + i] = d * ((byte >> 4) | fifthBit(block, at + 4, 16 + i)) + m
  }
}

const fifthBit = (block: Uint8Array, at: number, i: number): number => ((block[at + (i >> 3)]! >> (i & 7)) & 1) << 4

/** A scale; 32 signed bytes. */
const q8_0: Decode = (block, at, half, into, to) => {
  const d = half(at)
  for (let i = 0; i < 32; i++) into[to + i] = d * signed(block[at + 2 + i]!)
}

const signed = (byte: number): number => (byte << 24) >> 24

/** Two scales; 8 scales and minima of 6 bits; 256 values of 4 bits. */
const q4_K: Decode = (block, at, half, into, to) => {
  const d = half(at)
  const least = half(at + 2)
  for (let part = 0; part < 8; part++) {
    const scale = d * scaleOf(block, at + 4, part)
    const minimum = least * minimumOf(block, at + 4, part)
    const first = at + 16 + (part >> 1) * 32
    const shift = (part & 1) * 4
    for (let i = 0; i < 32; i++) into[to + part * 32 + i] = scale * ((block[first + i]! >> shift) & 15) - minimum
  }
}

/** As Q4_K, with the fifth bits of the values before their lower four. */
const q5_K: Decode = (block, at, half, into, to) => {
  const d = half(at)
  const least = half(at + 2)
  for (let part = 0; part < 8; part++) {
    const scale = d * scaleOf(block, at + 4, part)
    const minimum = least * minimumOf(block, at + 4, part)
    const first = at + 48 + (part >> 1) * 32
    const shift = (part & 1) * 4
    for (let i = 0; i < 32; i++) {
      const fifth = ((block[at + 16 + i]! >> part) & 1) << 4
      into[to + part * 32 + i] = scale * (((block[first + i]! >> shift) & 15) | fifth) - minimum
    }
  }
}

/** Eight scales and eight minima of 6 bits in 12 bytes: the first four of each whole, of the others the upper two bits there. */
const scaleOf = (block: Uint8Array, at: number, part: number): number =>
  part < 4 ? block[at + part]! & 63 : (block[at + part + 4]! & 15) | ((block[at + part - 4]! >> 2) & 48)
const minimumOf = (block: Uint8Array, at: number, part: number): number =>
  part < 4 ? block[at + part + 4]! & 63 : (block[at + part + 4]! >> 4) | ((block[at + part]! >> 2) & 48)

/** The lower four bits of 256 values, their upper two, 16 signed scales, a scale of those; less 32. */
const q6_K: Decode = (block, at, half, into, to) => {
  const d = half(at + 208)
  for (let part = 0; part < 8; part++) {
    const low = at + (part >> 2) * 64 + (part & 1) * 32
    const lowShift = part & 2 ? 4 : 0
    const high = at + 128 + (part >> 2) * 32
    const highShift = (part & 3) * 2
    for (let i = 0; i < 32; i++) {
      const scale = d * signed(block[at + 192 + part * 2 + (i >> 4)]!)
      const value = ((block[low + i]! >> lowShift) & 15) | (((block[high + i]! >> highShift) & 3) << 4)
      into[to + part * 32 + i] = scale * (value - 32)
    }
  }
}

function quantised(values: number, bytes: number, decode: Decode): BlockFormat {
  return {
    values,
    bytes,
    decode(blocks, into) {
      const table = float16Table()
      const half = (at: number): number => table[blocks[at]! | (blocks[at + 1]! << 8)]!
      for (let at = 0, to = 0; to < into.length; at += bytes, to += values) decode(blocks, at, half, into, to)
    },
  }
}

const plain = (format: FloatFormat, bytes: number): BlockFormat => ({
  values: 1,
  bytes,
  decode: (blocks, into) => decodeFloats(format, blocks, into),
})

/** By the number that a GGUF gives a format. */
export const blockFormats: ReadonlyMap<number, BlockFormat> = new Map([
  [0, plain('F32', 4)],
  [1, plain('F16', 2)],
  [2, quantised(32, 18, q4_0)],
  [3, quantised(32, 20, q4_1)],
  [6, quantised(32, 22, q5_0)],
  [7, quantised(32, 24, q5_1)],
  [8, quantised(32, 34, q8_0)],
  [12, quantised(256, 144, q4_K)],
  [13, quantised(256, 176, q5_K)],
  [14, quantised(256, 210, q6_K)],
  [30, plain('BF16', 2)],
])

/** Those formats by name, for errors. */
export const FORMAT_NAMES = 'F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K and Q6_K'
