import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { GGMLQuantizationType, gguf } from '@huggingface/gguf'
import type { GGUFParseOutput, GGUFTensorInfo } from '@huggingface/gguf'
import { FORMAT_NAMES, blockFormats } from './block-formats.js'
import type { BlockFormat } from './block-formats.js'

/** What a GGUF says about itself, checked against the file's size. */
export interface GgufHeader {
  path: string
  metadata: Readonly<Record<string, unknown>>
  tensors: ReadonlyMap<string, GgufTensor>
}

/** Where a tensor is, and how it is stored. */
export interface GgufTensor {
  format: BlockFormat
  /** As other checkpoints have it: [out, in]. */
  shape: number[]
  /** Bytes from the start of the file. */
  begin: number
  end: number
}

const MAGIC = 'GGUF'

/** Magic, version and two counts. */
const PREAMBLE_BYTES = 24

// The least bytes that one of them takes in a header.
const TENSOR_BYTES = 24
const FIELD_BYTES = 13

/** ggml's most dimensions. */
const DIMENSIONS = 4

/**
 * Reads the header of a GGUF file, version 2 or 3.
 * @throws where the file is truncated or no such file, a count or a range does not fit into it, tensors overlap, or one
 * is of a format that is not read
 */
export async function readGgufHeader(path: string): Promise<GgufHeader> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw new Error(`gguf: cannot open ${path}`, { cause: error })
  })
  try {
    const { size } = await file.stat()
    await checkPreamble(file, path, size)
    const header = await parse(file, path, size)
    const metadata = header.metadata as Record<string, unknown>
    const alignment = Number(metadata['general.alignment'] ?? 32)
    return { path, metadata, tensors: readTensors(header, alignment, path, size) }
  } finally {
    await file.close()
  }
}

/** True where a file begins as a GGUF does. */
export async function isGguf(path: string): Promise<boolean> {
  const file = await open(path, 'r')
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(4), 0, 4, 0)
    return bytesRead === 4 && buffer.toString('latin1') === MAGIC
  } finally {
    await file.close()
  }
}

const broken = (path: string, what: string, cause?: unknown): Error =>
  new Error(`gguf: ${path}: ${what}`, cause === undefined ? {} : { cause })

async function checkPreamble(file: FileHandle, path: string, size: number): Promise<void> {
  const bytes = Buffer.alloc(PREAMBLE_BYTES)
  const { bytesRead } = await file.read(bytes, 0, PREAMBLE_BYTES, 0)
  const magic = bytes.subarray(0, Math.min(4, bytesRead))
  if (magic.toString('latin1') !== MAGIC)
    throw broken(
      path,
      `this is no GGUF file: it begins with ${JSON.stringify(magic.toString('latin1'))}, not "${MAGIC}"`,
    )
  if (bytesRead < PREAMBLE_BYTES) throw broken(path, `the file is truncated: ${size} bytes hold no header`)
  const version = bytes.readUInt32LE(4)
  if (version !== 2 && version !== 3) {
    const swapped = bytes.readUInt32BE(4)
    throw broken(
      path,
      swapped === 2 || swapped === 3
        ? 'its numbers are big-endian; little-endian ones are read: convert it with gguf_convert_endian.py of llama.cpp'
        : `its version is ${version}; 2 and 3 are read: convert the model anew`,
    )
  }
  const count = (at: number, what: string, least: number): void => {
    const found = bytes.readBigUInt64LE(at)
    const most = Math.floor(size / least)
    if (found > BigInt(most)) throw broken(path, `it claims ${found} ${what}; ${size} bytes hold at most ${most}`)
  }
  count(8, 'tensors', TENSOR_BYTES)
  count(16, 'fields', FIELD_BYTES)
}

/**
 * The package bounds counts, strings and nesting itself. It fills a last piece up with zeros, so what it reads is given
 * to it here: a read behind the end fails.
 */
async function parse(file: FileHandle, path: string, size: number): Promise<GGUFParseOutput> {
  const read = async (_: unknown, init?: RequestInit): Promise<Response> => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(new Headers(init?.headers).get('range') ?? '') ?? []
    const begin = Number(from)
    if (begin >= size) throw broken(path, `the file is truncated: it ends at byte ${size}, inside of its header`)
    const bytes = Buffer.alloc(Math.min(Number(to) + 1, size) - begin)
    for (let got = 0; got < bytes.length;) {
      const { bytesRead } = await file.read(bytes, got, bytes.length - got, begin + got)
      if (bytesRead === 0) throw broken(path, `the file ended at byte ${begin + got}; did it change?`)
      got += bytesRead
    }
    pieces.push(begin + bytes.length)
    return new Response(bytes)
  }
  const pieces: number[] = []
  let header: GGUFParseOutput
  try {
    header = await gguf('http://localhost', { fetch: read })
  } catch (error) {
    const { message } = error as Error
    throw message.startsWith('gguf: ') ? error : broken(path, `its header is broken: ${message}`, error)
  }
  const [, end] = header.tensorInfoByteRange
  if (end > size) throw broken(path, `the file is truncated: it ends at byte ${size}, its header at ${end}`)
  for (const piece of pieces.filter((piece) => piece < end)) await checkCut(file, header, piece)
  return header
}

/** Characters of a text that would be looked for in the bytes at the end of a piece. */
const LONGEST_CUT = 1 << 16

/**
 * The package does not notice where the last string of a list runs over the end of a piece that it read: it takes the part
 * that is there. Such a string ends exactly with the piece, and its length, which stands before it, says more.
 */
async function checkCut(file: FileHandle, header: GGUFParseOutput, piece: number): Promise<void> {
  const metadata = header.metadata as Record<string, unknown>
  const before = Buffer.alloc(Math.min(LONGEST_CUT, piece))
  await file.read(before, 0, before.length, piece - before.length)
  const keys = Object.keys(metadata)
  for (const [i, key] of keys.entries()) {
    const value = metadata[key]
    const last: unknown = Array.isArray(value) ? value.at(-1) : value
    if (typeof last !== 'string') continue
    const at = before.length - Buffer.byteLength(last.replace(/\uFFFD$/, '')) - 8
    // A character that was cut became a mark; one to three of its bytes are there.
    for (let from = at; from >= Math.max(0, at - 3); from--) {
      const length = before.readBigUInt64LE(from)
      const found = before.subarray(from + 8)
      if (length <= BigInt(found.length) || length > BigInt(LONGEST_CUT) || found.toString('utf8') !== last) continue
      const begin = piece - found.length
      const end = begin + Number(length)
      if (!(await isFollowedBy(file, header, end, keys[i + 1]))) continue
      const whole = Buffer.alloc(Number(length))
      await file.read(whole, 0, whole.length, begin)
      const text = whole.toString('utf8')
      metadata[key] = Array.isArray(value) ? [...(value as unknown[]).slice(0, -1), text] : text
      return
    }
  }
}

/** Whether a field ends there: the next one begins with its key, and the tensors come after the last one. */
async function isFollowedBy(
  file: FileHandle,
  { tensorInfoByteRange }: GGUFParseOutput,
  end: number,
  next: string | undefined,
): Promise<boolean> {
  if (next === undefined) return end === tensorInfoByteRange[0]
  const key = Buffer.from(next)
  const there = Buffer.alloc(8 + key.length)
  await file.read(there, 0, there.length, end)
  return there.readBigUInt64LE() === BigInt(key.length) && there.subarray(8).equals(key)
}

function readTensors(header: GGUFParseOutput, alignment: number, path: string, size: number): Map<string, GgufTensor> {
  if (!(alignment >= 8 && alignment <= 65536 && Number.isInteger(Math.log2(alignment))))
    throw broken(path, `general.alignment must be a power of two in [8, 65536], got ${alignment}`)
  const tensors = new Map<string, GgufTensor>()
  for (const info of header.tensorInfos) {
    if (tensors.has(info.name)) throw broken(path, `it has '${info.name}' twice`)
    tensors.set(info.name, readTensor(info, Number(header.tensorDataOffset), alignment, path, size))
  }
  const inOrder = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)
  inOrder.forEach(([name, tensor], i) => {
    const before = inOrder[i - 1]
    if (before && before[1].end > tensor.begin) throw broken(path, `the ranges of '${before[0]}' and '${name}' overlap`)
  })
  return tensors
}

function readTensor(info: GGUFTensorInfo, start: number, alignment: number, path: string, size: number): GgufTensor {
  const { name } = info
  const format = blockFormats.get(info.dtype)
  if (!format) {
    const type = GGMLQuantizationType[info.dtype] ?? `of the unknown number ${info.dtype as number}`
    throw broken(path, `'${name}' is stored as ${type}; read are ${FORMAT_NAMES}`)
  }
  const dims = info.shape.map(Number)
  const shown = `[${dims.join(', ')}]`
  const values = dims.reduce((product, dim) => product * dim, 1)
  if (dims.length < 1 || dims.length > DIMENSIONS || !(values > 0 && Number.isSafeInteger(values)))
    throw broken(path, `'${name}' has the shape ${shown}; 1 to ${DIMENSIONS} positive dimensions are read`)
  if (dims[0]! % format.values !== 0)
    throw broken(path, `'${name}' has rows of ${dims[0]} values, which blocks of ${format.values} do not fill`)
  if (info.offset % BigInt(alignment) !== 0n)
    throw broken(path, `'${name}' is at ${info.offset}, which is no multiple of ${alignment}`)
  const begin = start + Number(info.offset)
  const end = begin + (values / format.values) * format.bytes
  if (!(end <= size))
    throw broken(path, `'${name}' of shape ${shown} ends at byte ${end}, the file at ${size}: the file is truncated`)
  return { format, shape: dims.reverse(), begin, end }
}
