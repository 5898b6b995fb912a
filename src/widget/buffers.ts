import { types } from 'node:util'

/** JSON with its bytes taken out: `paths[i]` is where `buffers[i]` was. */
export interface Separated {
  json: Record<string, unknown>
  paths: (string | number)[][]
  buffers: Uint8Array[]
}

/**
 * Takes the bytes out of a state, as the widget protocol wants it: a key that held bytes goes, an item of a list becomes
 * null. What was given stays as it was.
 */
export function separateBuffers(state: Record<string, unknown>): Separated {
  const paths: Separated['paths'] = []
  const buffers: Uint8Array[] = []
  const take = (value: unknown, path: (string | number)[]): unknown => {
    const bytes = bytesOf(value)
    if (bytes) {
      paths.push(path)
      buffers.push(bytes)
      return undefined
    }
    // JSON writes a list's undefined as null, and leaves out a key's.
    if (Array.isArray(value)) return value.map((item, i) => take(item, [...path, i]))
    if (!isPlain(value)) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, take(item, [...path, key])]))
  }
  return { json: take(state, []) as Record<string, unknown>, paths, buffers }
}

/** Puts bytes back to where they were. Changes `json`. */
export function joinBuffers({ json, paths, buffers }: Separated): Record<string, unknown> {
  paths.forEach((path, i) => {
    const last = path[path.length - 1]
    if (last === undefined) return
    const parent = path.slice(0, -1).reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], json)
    ;(parent as Record<string, unknown>)[last] = buffers[i]
  })
  return json
}

function bytesOf(value: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  return types.isAnyArrayBuffer(value) ? new Uint8Array(value) : undefined
}

/** Not so a Date, say, which JSON writes in its own way. */
function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return false
  return Object.prototype.toString.call(value) === '[object Object]'
}
