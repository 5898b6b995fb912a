import { open, rename, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { BYTES, decodeFloats, encodeFloats } from './float-formats.js'
import type { FloatFormat } from './float-formats.js'

/** Where one tensor lies in a safetensors file. */
interface Entry {
  dtype: string
  shape: number[]
  data_offsets: [number, number]
}

/** An open safetensors file. Tensors are read one by one, so that memory holds one at a time. */
export interface SafetensorsFile {
  names: string[]
  shape(name: string): number[] | undefined
  /** Throws for a tensor that is not there, or not of a float format. */
  read(name: string): Promise<Float32Array>
  close(): Promise<void>
}

/** A tensor to be written. `data` is asked for when its turn comes. */
export interface TensorToWrite {
  name: string
  shape: readonly number[]
  data(): Promise<Float32Array>
}

const MAX_HEADER = 100_000_000

/** Opens a file and checks its header against its size (the format's own specification). */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const handle = await open(path, 'r')
  try {
    const { header, start } = await readHeader(handle, path)
    return {
      names: Object.keys(header),
      shape: (name) => header[name]?.shape,
      read: (name) => readTensor(handle, path, header, start, name),
      close: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

async function readHeader(handle: FileHandle, path: string): Promise<{ header: Record<string, Entry>; start: number }> {
  const broken = (what: string): Error =>
    new Error(`safetensors ${path}: ${what}; the file is damaged or was not fully downloaded: fetch it again`)
  const { size } = await handle.stat()
  const prefix = Buffer.alloc(8)
  await handle.read(prefix, 0, 8, 0)
  const length = Number(prefix.readBigUInt64LE())
  if (size < 8 || length > MAX_HEADER || length + 8 > size) throw broken(`a header of ${length} bytes does not fit into ${size}`)
  const text = Buffer.alloc(length)
  await handle.read(text, 0, length, 8)
  let header: Record<string, Entry>
  try {
    header = JSON.parse(text.toString('utf8')) as Record<string, Entry>
  } catch {
    throw broken('the header is no JSON')
  }
  delete header['__metadata__']
  const start = 8 + length
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(header)) {
    const [from, to] = offsets
    const elements = shape.reduce((a, b) => a * b, 1)
    const bytes = BYTES[dtype as FloatFormat]
    if (from > to || start + to > size) throw broken(`tensor ${name} ends at byte ${start + to} of ${size}`)
    if (bytes !== undefined && to - from !== elements * bytes) {
      throw broken(`tensor ${name} of shape [${shape.join(', ')}] has ${to - from} bytes`)
    }
  }
  return { header, start }
}

async function readTensor(
  handle: FileHandle,
  path: string,
  header: Record<string, Entry>,
  start: number,
  name: string,
): Promise<Float32Array> {
  const entry = header[name]
  if (!entry) throw new Error(`safetensors ${path}: there is no tensor ${name}`)
  if (!(entry.dtype in BYTES)) {
    throw new Error(`safetensors ${path}: tensor ${name} has dtype ${entry.dtype}; F32, BF16 and F16 are supported`)
  }
  const [from, to] = entry.data_offsets
  const bytes = Buffer.alloc(to - from)
  await handle.read(bytes, 0, bytes.length, start + from)
  return decodeFloats(bytes, entry.dtype as FloatFormat)
}

/**
 * Writes a file aside and then puts it in place, so that nothing half-written replaces a good file.
 * Throws when the disk is full, leaving what was there before.
 */
export async function writeSafetensors(path: string, tensors: readonly TensorToWrite[], format: 'F32' | 'BF16'): Promise<void> {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  let offset = 0
  for (const { name, shape } of tensors) {
    const end = offset + shape.reduce((a, b) => a * b, 1) * BYTES[format]
    header[name] = { dtype: format, shape, data_offsets: [offset, end] }
    offset = end
  }
  const json = JSON.stringify(header)
  // The data begins at a multiple of 8 bytes.
  const text = Buffer.from(json + ' '.repeat((8 - (Buffer.byteLength(json) % 8)) % 8))
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(BigInt(text.length))
  const aside = `${path}.${process.pid}.part`
  try {
    const handle = await open(aside, 'w')
    try {
      await handle.writeFile(Buffer.concat([prefix, text]))
      for (const tensor of tensors) await handle.appendFile(encodeFloats(await tensor.data(), format))
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(aside, path)
  } catch (error) {
    await rm(aside, { force: true })
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') {
      throw new Error(`write ${path}: the disk is full (${offset} bytes are needed); free some space. What was there is unchanged`, {
        cause: error,
      })
    }
    throw error
  }
}
