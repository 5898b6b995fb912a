// TensorBoard's event files: TFRecord frames (tensorflow/core/lib/io/record_writer.h) around Event messages
// (tensorflow/core/util/event.proto), of which scalars need six fields.

/** Scalars of one step. */
export interface ScalarEvent {
  /** Seconds since 1970. */
  wallTime: number
  step: number
  /** By tag; TensorBoard groups tags by what stands before their first `/`. Single precision. */
  scalars: Readonly<Record<string, number>>
}

/** The frame that a file begins with: the version of its format. */
export const eventFileStart = (wallTime: number): Uint8Array =>
  frame(Buffer.concat([double(1, wallTime), bytes(3, Buffer.from('brain.Event:2'))]))

/** The frame of one step. */
export function encodeEvent({ wallTime, step, scalars }: ScalarEvent): Uint8Array {
  const values = Object.entries(scalars).map(([tag, value]) =>
    bytes(1, Buffer.concat([bytes(1, Buffer.from(tag)), float(2, value)])),
  )
  return frame(Buffer.concat([double(1, wallTime), varintField(2, step), bytes(5, Buffer.concat(values))]))
}

/** Length, its checksum, data, their checksum; whole numbers in little-endian order. */
function frame(data: Buffer): Uint8Array {
  const framed = Buffer.alloc(data.length + 16)
  framed.writeBigUInt64LE(BigInt(data.length), 0)
  framed.writeUInt32LE(maskedCrc(framed.subarray(0, 8)), 8)
  data.copy(framed, 12)
  framed.writeUInt32LE(maskedCrc(data), 12 + data.length)
  return framed
}

// Fields of a protobuf message: number and wire type (0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes), then the value.
const key = (field: number, wireType: number): Buffer => Buffer.from([(field << 3) | wireType])

function double(field: number, value: number): Buffer {
  const number = Buffer.alloc(8)
  number.writeDoubleLE(value)
  return Buffer.concat([key(field, 1), number])
}

function float(field: number, value: number): Buffer {
  const number = Buffer.alloc(4)
  number.writeFloatLE(value)
  return Buffer.concat([key(field, 5), number])
}

const bytes = (field: number, value: Buffer): Buffer => Buffer.concat([key(field, 2), varint(value.length), value])

const varintField = (field: number, value: number): Buffer => Buffer.concat([key(field, 0), varint(value)])

/** Of a whole number from 0. */
function varint(value: number): Buffer {
  const digits: number[] = []
  let left = BigInt(value)
  for (; left >= 0x80n; left >>= 7n) digits.push(Number(left & 0x7fn) | 0x80)
  return Buffer.from([...digits, Number(left)])
}

/** CRC-32C (Castagnoli), reflected polynomial 0x82F63B78. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

/** Rotated and shifted, so that a checksum of data that holds checksums stays one. */
function maskedCrc(data: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of data) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 0xff]!
  crc = ~crc >>> 0
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}
