import { open, readFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { bytesPerValue, decodeFloats } from './float-bytes.js'
import type { FloatFormat } from './float-bytes.js'

/** Tensors of one file or of a sharded set, read one at a time. */
export interface TensorSource {
  /** Shapes by name. */
  readonly shapes: ReadonlyMap<string, readonly number[]>
  /** Values as float32, whatever they are stored as. */
  read(name: string): Promise<Float32Array>
  close(): Promise<void>
}

interface Entry {
  format: FloatFormat
  shape: number[]
  /** Bytes from the start of the file. */
  begin: number
  end: number
}

const header = z.record(
  z.string(),
  z.object({
    dtype: z.string(),
    shape: z.array(z.number().int().nonnegative()),
    data_offsets: z.tuple([z.number().int().nonnegative(), z.number().int().nonnegative()]),
  }),
)

const shardIndex = z.looseObject({ weight_map: z.record(z.string(), z.string()) })

/** Bytes read at once: bounds memory beside the tensor itself, and stays below Node's limit of 2 GiB. */
const CHUNK = 1 << 26

/** The safetensors format allows no longer header. */
const LONGEST_HEADER = 100_000_000

/**
 * Opens one safetensors file and checks its header.
 * @throws where the file is truncated, a range lies outside of it or disagrees with its shape, or a dtype is not
 * float32, bfloat16 or float16
 */
export async function openSafetensors(path: string): Promise<TensorSource> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw new Error(`safetensors: cannot open ${path}`, { cause: error })
  })
  try {
    const entries = await readHeader(file, path)
    return {
      shapes: new Map([...entries].map(([name, entry]) => [name, entry.shape])),
      read: (name) => readTensor(file, path, name, entries.get(name)),
      close: () => file.close(),
    }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Opens model.safetensors of a folder, or the shards that model.safetensors.index.json names. */
export async function openWeights(folder: string): Promise<TensorSource> {
  const indexPath = join(folder, 'model.safetensors.index.json')
  const text = await readFile(indexPath, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new Error(`safetensors: cannot read ${indexPath}`, { cause: error })
  })
  return text === undefined ? openSafetensors(join(folder, 'model.safetensors')) : openShards(indexPath, text)
}

async function openShards(indexPath: string, text: string): Promise<TensorSource> {
  let weightMap: Record<string, string>
  try {
    weightMap = shardIndex.parse(JSON.parse(text)).weight_map
  } catch (error) {
    throw new Error(`safetensors: ${indexPath} is not a shard index`, { cause: error })
  }
  const shards = new Map<string, TensorSource>()
  const close = async (): Promise<void> => {
    for (const shard of shards.values()) await shard.close()
  }
  try {
    const shapes = new Map<string, readonly number[]>()
    for (const [name, shardName] of Object.entries(weightMap)) {
      // A name with a path would lead out of the checkpoint.
      if (/[/\\]/.test(shardName))
        throw new Error(`safetensors: ${indexPath} names the file '${shardName}', which has a path`)
      let shard = shards.get(shardName)
      if (!shard) shards.set(shardName, (shard = await openSafetensors(join(dirname(indexPath), shardName))))
      const shape = shard.shapes.get(name)
      if (!shape) throw new Error(`safetensors: ${indexPath} puts '${name}' into ${shardName}, which does not have it`)
      shapes.set(name, shape)
    }
    const read = async (name: string): Promise<Float32Array> => {
      const shard = shards.get(weightMap[name] ?? '')
      if (!shard) throw new Error(`safetensors: ${indexPath} has no tensor '${name}'`)
      return shard.read(name)
    }
    return { shapes, read, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function readHeader(file: FileHandle, path: string): Promise<Map<string, Entry>> {
  const { size } = await file.stat()
  const broken = (what: string): Error => new Error(`safetensors: ${path}: ${what}`)
  if (size < 8) throw broken(`the file is truncated: ${size} bytes hold no header`)
  const prefix = Buffer.alloc(8)
  await file.read(prefix, 0, 8, 0)
  const length = prefix.readBigUInt64LE()
  if (length > BigInt(LONGEST_HEADER)) throw broken(`the header claims ${length} bytes; this is no safetensors file`)
  const start = 8 + Number(length)
  if (size < start) throw broken(`the file is truncated: the header ends at byte ${start}, the file at ${size}`)
  const bytes = Buffer.alloc(Number(length))
  await file.read(bytes, 0, bytes.length, 8)
  let json: Record<string, unknown>
  try {
    json = JSON.parse(bytes.toString('utf8')) as Record<string, unknown>
  } catch (error) {
    throw new Error(`safetensors: ${path}: the header is not JSON`, { cause: error })
  }
  if (json !== null && typeof json === 'object') delete json['__metadata__']
  const parsed = header.safeParse(json)
  if (!parsed.success) throw broken(`the header is broken: ${z.prettifyError(parsed.error)}`)
  const entries = new Map<string, Entry>()
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(parsed.data)) {
    if (!Object.hasOwn(bytesPerValue, dtype))
      throw broken(`'${name}' has dtype ${dtype}; supported are F32, BF16 and F16`)
    const format = dtype as FloatFormat
    const [begin, end] = offsets
    const expected = shape.reduce((product, dim) => product * dim, bytesPerValue[format])
    if (end - begin !== expected) {
      throw broken(
        `'${name}' of shape [${shape.join(', ')}] needs ${expected} bytes, its range [${begin}, ${end}] has ${end - begin}`,
      )
    }
    if (start + end > size)
      throw broken(`'${name}' ends at byte ${start + end}, the file at ${size}: the file is truncated`)
    entries.set(name, { format, shape, begin: start + begin, end: start + end })
  }
  const inOrder = [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)
  inOrder.forEach(([name, entry], i) => {
    const before = inOrder[i - 1]
    if (before && before[1].end > entry.begin) throw broken(`the ranges of '${before[0]}' and '${name}' overlap`)
  })
  return entries
}

async function readTensor(
  file: FileHandle,
  path: string,
  name: string,
  entry: Entry | undefined,
): Promise<Float32Array> {
  if (!entry) throw new Error(`safetensors: ${path} has no tensor '${name}'`)
  const width = bytesPerValue[entry.format]
  const values = new Float32Array((entry.end - entry.begin) / width)
  const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK, entry.end - entry.begin))
  for (let at = entry.begin; at < entry.end;) {
    const wanted = Math.min(buffer.length, entry.end - at)
    let got = 0
    while (got < wanted) {
      const { bytesRead } = await file.read(buffer, got, wanted - got, at + got)
      if (bytesRead === 0) throw new Error(`safetensors: ${path} ended inside of '${name}'; did the file change?`)
      got += bytesRead
    }
    const first = (at - entry.begin) / width
    decodeFloats(entry.format, buffer.subarray(0, wanted), values.subarray(first, first + wanted / width))
    at += wanted
  }
  return values
}
