import { inspect, types } from 'node:util'

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

/**
 * Puts bytes back to where they were. Changes `json`, and nothing else: a path leads through what the message itself
 * holds, never to a prototype.
 * @returns paths that lead nowhere, as text; their bytes are left out
 */
export function joinBuffers({ json, paths, buffers }: Separated): string[] {
  const refused: string[] = []
  paths.forEach((path, i) => {
    const bytes = buffers[i]
    const keys: unknown[] = Array.isArray(path) ? path : []
    const parent = keys.slice(0, -1).reduce<unknown>(inside, json)
    if (!bytes || !put(parent, keys[keys.length - 1], bytes)) refused.push(inspect(path))
  })
  return refused
}

/** What a list or an object holds under a key; nothing of what it inherits. */
function inside(value: unknown, key: unknown): unknown {
  if (typeof value !== 'object' || value === null || !isKey(key) || !Object.hasOwn(value, key)) return undefined
  return (value as Record<string, unknown>)[key]
}

/** A list's place must be there; a key may be new. */
function put(parent: unknown, key: unknown, bytes: Uint8Array): boolean {
  if (typeof parent !== 'object' || parent === null || ArrayBuffer.isView(parent) || !isKey(key)) return false
  if (Array.isArray(parent) && !(Number.isInteger(Number(key)) && Object.hasOwn(parent, key))) return false
  ;(parent as Record<string, unknown>)[key] = bytes
  return true
}

const isKey = (key: unknown): key is string | number =>
  typeof key === 'number' || (typeof key === 'string' && key !== '__proto__')

function bytesOf(value: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  return types.isAnyArrayBuffer(value) ? new Uint8Array(value) : undefined
}

/** An object of fields; not a Date, say, which has its JSON form. */
function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return false
  return Object.prototype.toString.call(value) === '[object Object]'
}
