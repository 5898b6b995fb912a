import { open, readFile, stat, writeFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { endianness } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { readBytes, writeBytes } from '../file/stored-bytes.js'
import type { StoredBytes } from '../file/stored-bytes.js'
import type { FolderKind } from '../file/write-folder.js'
import { recoverFolder, writeFolder } from '../file/write-folder.js'
import { createSlices } from './bm25-index.js'
import type { Bm25Index, IndexedDocument } from './bm25-index.js'

// A saved index is a folder: `bm25.json`, which says what the others hold, the words, three arrays of numbers, and the
// documents as JSONL with the place and checksum of each line. Numbers are little-endian.

/** The documents of an index, wherever they are. */
export interface Texts {
  readonly length: number
  read(document: number): IndexedDocument | Promise<IndexedDocument>
}

/** An index with its documents. */
export interface StoredBm25 {
  index: Bm25Index
  texts: Texts
  k1: number
  b: number
}

const MANIFEST = 'bm25.json'
const VERSION = 1
const FILES = [
  'terms.txt',
  'offsets.u32',
  'documents.i32',
  'scores.f32',
  'documents.jsonl',
  'places.f64',
  'checks.u32',
] as const
type Name = (typeof FILES)[number]

const KIND: FolderKind = {
  operation: 'save bm25',
  what: 'BM25 index',
  marker: MANIFEST,
  owns: (name) => name === MANIFEST || (FILES as readonly string[]).includes(name),
}

const count = z.int().min(0)
const stored: z.ZodType<StoredBytes> = z.object({ bytes: count, sha256: z.string().length(64) })
const manifestSchema = z.object({
  format: z.literal('zerosearch bm25'),
  version: z.literal(VERSION),
  k1: z.number(),
  b: z.number(),
  documents: count,
  terms: count,
  postings: count,
  files: z.object(Object.fromEntries(FILES.map((name) => [name, stored])) as Record<Name, typeof stored>),
})

/** Characters of documents that are written at a time. */
const CHUNK = 1 << 20

/** Writes an index as a folder, which appears when it is whole. */
export async function saveBm25(folder: string, { index, texts, k1, b }: StoredBm25, overwrite: boolean): Promise<void> {
  checkByteOrder('save bm25')
  await writeFolder(folder, KIND, { overwrite }, async (aside) => {
    const { terms, offsets, documents, scores } = index
    const places = new Float64Array(texts.length + 1)
    const checks = new Uint32Array(texts.length)
    const write = (name: Name, chunks: Parameters<typeof writeBytes>[1]) => writeBytes(join(aside, name), chunks)
    const files: Record<Name, StoredBytes> = {
      'terms.txt': await write('terms.txt', lines(terms.keys())),
      'offsets.u32': await write('offsets.u32', [bytesOf(offsets)]),
      'documents.i32': await write('documents.i32', [bytesOf(documents)]),
      'scores.f32': await write('scores.f32', [bytesOf(scores)]),
      'documents.jsonl': await write('documents.jsonl', documentLines(texts, places, checks)),
      'places.f64': await write('places.f64', [bytesOf(places)]),
      'checks.u32': await write('checks.u32', [bytesOf(checks)]),
    }
    const manifest: z.infer<typeof manifestSchema> = {
      ...{ format: 'zerosearch bm25', version: VERSION, k1, b },
      ...{ documents: texts.length, terms: terms.size, postings: documents.length, files },
    }
    await writeFile(join(aside, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`)
  })
}

/** Reads what `saveBm25` wrote. The documents stay on the disk, and are read when they are found. */
export async function loadStoredBm25(folder: string): Promise<StoredBm25> {
  checkByteOrder('load bm25')
  await recoverFolder(folder)
  const manifest = await readManifest(folder)
  const read = async (name: Name, into: Uint8Array): Promise<void> => {
    await readBytes(join(folder, name), manifest.files[name], into).catch((error: unknown) => {
      const rule = error instanceof Error ? error.message : String(error)
      throw new Error(`load bm25: ${join(folder, name)} ${rule}; save the index again`, { cause: error })
    })
  }
  const words = Buffer.alloc(manifest.files['terms.txt'].bytes)
  await read('terms.txt', words)
  const terms = await termsOf(words)
  const offsets = new Uint32Array(manifest.terms + 1)
  await read('offsets.u32', bytesOf(offsets))
  const documents = new Int32Array(manifest.postings)
  await read('documents.i32', bytesOf(documents))
  const scores = new Float32Array(manifest.postings)
  await read('scores.f32', bytesOf(scores))
  const places = new Float64Array(manifest.documents + 1)
  await read('places.f64', bytesOf(places))
  const checks = new Uint32Array(manifest.documents)
  await read('checks.u32', bytesOf(checks))
  const texts = await openTexts(
    join(folder, 'documents.jsonl'),
    manifest.files['documents.jsonl'].bytes,
    places,
    checks,
  )
  return { index: { terms, offsets, documents, scores }, texts, k1: manifest.k1, b: manifest.b }
}

async function readManifest(folder: string): Promise<z.infer<typeof manifestSchema>> {
  const path = join(folder, MANIFEST)
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new Error(`load bm25: ${folder} holds no BM25 index (${MANIFEST}); make one with \`engine.save(folder)\``, {
      cause: error,
    })
  })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new Error(`load bm25: ${path} must be JSON; save the index again`, { cause: error })
  }
  const { success, data, error } = manifestSchema.safeParse(value)
  if (success) return data
  const { path: field, message } = error.issues[0]!
  throw new Error(
    `load bm25: ${path} is of another version or damaged (${field.join('.')}: ${message}); save the index again`,
  )
}

/** Lines of documents in chunks; notes where each begins, and its checksum. */
async function* documentLines(texts: Texts, places: Float64Array, checks: Uint32Array): AsyncGenerator<Buffer> {
  let lines: Buffer[] = []
  let bytes = 0
  for (let document = 0; document < texts.length; document++) {
    const { id, title, text, metadata } = await texts.read(document)
    const line = Buffer.from(`${JSON.stringify({ id, title, text, metadata })}\n`)
    checks[document] = crc32(line)
    places[document + 1] = places[document]! + line.length
    lines.push(line)
    bytes += line.length
    if (bytes < CHUNK) continue
    yield Buffer.concat(lines)
    lines = []
    bytes = 0
  }
  yield Buffer.concat(lines)
}

function* lines(words: Iterable<string>): Generator<Buffer> {
  let chunk = ''
  for (const word of words) {
    chunk += `${word}\n`
    if (chunk.length < CHUNK) continue
    yield Buffer.from(chunk)
    chunk = ''
  }
  yield Buffer.from(chunk)
}

/** Words hold no ends of lines, so that they need no other form. */
async function termsOf(bytes: Buffer): Promise<Map<string, number>> {
  const slices = createSlices()
  const terms = new Map<string, number>()
  for (let from = 0; from < bytes.length;) {
    const end = bytes.indexOf(0x0a, from)
    terms.set(bytes.toString('utf8', from, end), terms.size)
    from = end + 1
    if ((terms.size & 0xfff) === 0 && slices.isOver()) await slices.next()
  }
  return terms
}

/** Documents in an open file: a folder that takes its place changes nothing. */
class StoredTexts implements Texts {
  constructor(
    private readonly file: FileHandle,
    private readonly path: string,
    private readonly places: Float64Array,
    private readonly checks: Uint32Array,
  ) {}

  get length(): number {
    return this.checks.length
  }

  async read(document: number): Promise<IndexedDocument> {
    const from = this.places[document]!
    const line = Buffer.alloc(this.places[document + 1]! - from)
    await this.file.read(line, 0, line.length, from)
    if (crc32(line) === this.checks[document]) return JSON.parse(line.toString('utf8')) as IndexedDocument
    throw new Error(`bm25: document ${document} of ${this.path} is damaged; save the index again`)
  }
}

/** Closes the files of engines that nobody has any more. */
const openFiles = new FinalizationRegistry<FileHandle>((file) => void file.close().catch(() => undefined))

async function openTexts(path: string, bytes: number, places: Float64Array, checks: Uint32Array): Promise<Texts> {
  const { size } = await stat(path)
  if (size !== bytes) throw new Error(`load bm25: ${path} must have ${bytes} bytes, has ${size}; save the index again`)
  const file = await open(path, 'r')
  const texts = new StoredTexts(file, path, places, checks)
  openFiles.register(texts, file)
  return texts
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

function checkByteOrder(operation: string): void {
  if (endianness() !== 'LE')
    throw new Error(`${operation}: a saved index is for little-endian machines; this one is not`)
}
