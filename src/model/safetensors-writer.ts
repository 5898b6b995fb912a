import { createFile } from '../file/whole-file.js'
import { writeError } from '../file/write-error.js'
import { bytesPerValue, encodeFloats } from './float-bytes.js'

/** A safetensors file being written; nothing is at its path until `finish`. */
export interface SafetensorsWriter {
  /** Tensors may come in any order, each once. */
  write(name: string, data: Float32Array): Promise<void>
  /** Flushes to the disk, then puts the file in its place. */
  finish(): Promise<void>
  /** Deletes what was written. Safe after `finish`, where it does nothing. */
  abort(): Promise<void>
}

/** Values written at once. */
const CHUNK = 1 << 24

/**
 * Begins a safetensors file.
 * @param shapes By name; they fix the header, so every tensor must then be written.
 * @param dtype bfloat16 rounds to nearest even.
 */
export async function createSafetensors(
  path: string,
  shapes: Readonly<Record<string, readonly number[]>>,
  dtype: 'float32' | 'bfloat16',
): Promise<SafetensorsWriter> {
  const format = dtype === 'float32' ? 'F32' : 'BF16'
  const { header, places } = layOut(shapes, format)
  const explain = (error: unknown): Error => writeError(path, error)
  const pending = await createFile(path).catch((error: unknown) => {
    throw explain(error)
  })
  const { handle } = pending
  const missing = new Set(Object.keys(shapes))
  const put = async (bytes: Uint8Array, position: number): Promise<void> => {
    for (let at = 0; at < bytes.length;)
      at += (await handle.write(bytes, at, bytes.length - at, position + at)).bytesWritten
  }
  const attempt = async (action: () => Promise<void>): Promise<void> => {
    try {
      await action()
    } catch (error) {
      await pending.abort()
      throw explain(error)
    }
  }
  await attempt(() => put(header, 0))
  return {
    async write(name, data) {
      const place = places.get(name)
      if (!place) throw new Error(`safetensors: ${path} has no place for '${name}'`)
      if (data.length !== place.size)
        throw new Error(`safetensors: '${name}' has ${place.size} values, got ${data.length}`)
      if (!missing.delete(name)) throw new Error(`safetensors: '${name}' was written before`)
      await attempt(async () => {
        for (let at = 0; at < data.length; at += CHUNK) {
          await put(encodeFloats(format, data.subarray(at, at + CHUNK)), place.begin + at * bytesPerValue[format])
        }
      })
    },
    async finish() {
      if (missing.size > 0) {
        await pending.abort()
        throw new Error(`safetensors: ${path} lacks ${missing.size} tensors, '${[...missing][0]}' first`)
      }
      await attempt(() => pending.finish())
    },
    abort: () => pending.abort(),
  }
}

function layOut(
  shapes: Readonly<Record<string, readonly number[]>>,
  format: 'F32' | 'BF16',
): { header: Uint8Array; places: Map<string, { begin: number; size: number }> } {
  const json: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  const sizes = Object.entries(shapes).map(
    ([name, shape]) => [name, shape.reduce((product, dim) => product * dim, 1)] as const,
  )
  let offset = 0
  for (const [name, size] of sizes) {
    const end = offset + size * bytesPerValue[format]
    json[name] = { dtype: format, shape: shapes[name], data_offsets: [offset, end] }
    offset = end
  }
  const text = JSON.stringify(json)
  // Spaces align the data to 8 bytes, as other writers do for memory mapping.
  const body = Buffer.from(text + ' '.repeat((8 - (Buffer.byteLength(text) % 8)) % 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(body.length))
  const places = new Map<string, { begin: number; size: number }>()
  let begin = 8 + body.length
  for (const [name, size] of sizes) {
    places.set(name, { begin, size })
    begin += size * bytesPerValue[format]
  }
  return { header: Buffer.concat([length, body]), places }
}
