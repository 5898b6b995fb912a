import { inspect, types } from 'node:util'

/**
 * A copy of bytes that a cell sends.
 * @throws {TypeError} where it is something else, or the memory was given away
 */
export function bytesOf(value: unknown, name: string): Uint8Array {
  const isView = ArrayBuffer.isView(value)
  if (!isView && !types.isAnyArrayBuffer(value))
    throw new TypeError(`${name} must be a Uint8Array or another view of bytes, got ${inspect(value, { depth: 0 })}`)
  try {
    return isView
      ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice()
      : new Uint8Array(value).slice()
  } catch {
    throw new TypeError(`${name} is detached: its memory was transferred elsewhere; send a copy made before that`)
  }
}
