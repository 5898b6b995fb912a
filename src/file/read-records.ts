import { open, stat } from 'node:fs/promises'
import { delimiterOf, readDelimited } from './delimited.js'
import type { FileRecord } from './file-record.js'
import { quote } from './file-record.js'
import { readJsonArray } from './json-array.js'
import { readParquet } from './parquet.js'
import { readLines } from './read-lines.js'
import { errorMessage, isMissing } from './write-error.js'

/** How a file holds its records. */
export type FileFormat = 'CSV' | 'JSON' | 'JSONL' | 'Parquet' | 'TSV'

export interface RecordFile {
  format: FileFormat
  /** One after the other: the file need not fit into the memory. */
  records: AsyncGenerator<FileRecord>
}

/** Bytes that tell the format. */
const HEAD = 1 << 16

/** JSON of one object that holds the list: named so, or laid out over lines. */
const WRAPPED = /^\{\s*("(?:data|examples|questions|rows)"\s*:\s*\[|\r?\n)/i

/**
 * The records of a file of any of these formats; its content says which it is, not its name.
 * @param what What the file is, for errors: `question set`.
 * @param columns As `choose` of `readParquet`.
 * @throws where the file does not exist or is of none of the formats, with a remedy
 */
export async function openRecords(
  path: string,
  what: string,
  columns?: (names: string[]) => string[],
): Promise<RecordFile> {
  const place = `read ${what} ${path}`
  const head = await readHead(path, place)
  if (head.length === 0) throw new Error(`${place}: the file is empty`)
  if (head.toString('latin1', 0, 4) === 'PAR1') return { format: 'Parquet', records: readParquet(path, what, columns) }
  const packed = PACKED.find(({ start }) => head.subarray(0, start.length).equals(start))
  if (packed) throw new Error(`${place}: the file is compressed (${packed.name}); unpack it first`)
  const text = head
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trimStart()
  if (text.startsWith('[')) return { format: 'JSON', records: readJsonArray(path) }
  if (WRAPPED.test(text)) return { format: 'JSON', records: readJsonArray(path) }
  if (text.startsWith('{')) return { format: 'JSONL', records: readJsonLines(path, what) }
  const firstLine = text.split(/\r?\n/, 1)[0]!
  if (firstLine.startsWith('version https://git-lfs')) {
    throw new Error(`${place}: the file is only a pointer of Git LFS; fetch its content with \`git lfs pull\``)
  }
  const delimiter = firstLine.startsWith('<') ? undefined : delimiterOf(firstLine)
  if (delimiter === undefined && !head.includes(0)) {
    throw new Error(
      `${place}: the file must be JSONL, JSON, CSV, TSV or Parquet, got a file that begins with ${quote(firstLine)}`,
    )
  }
  return { format: delimiter === '\t' ? 'TSV' : 'CSV', records: readDelimited(path, what, delimiter ?? ',') }
}

const PACKED = [
  { name: 'gzip', start: Buffer.from([0x1f, 0x8b]) },
  { name: 'zip', start: Buffer.from('PK\u0003\u0004') },
  { name: 'zstd', start: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]) },
]

async function readHead(path: string, place: string): Promise<Buffer> {
  try {
    if ((await stat(path)).isDirectory()) throw new Error('it is a folder; name one of its files')
    const file = await open(path, 'r')
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(HEAD), 0, HEAD, 0)
      return buffer.subarray(0, bytesRead)
    } finally {
      await file.close()
    }
  } catch (error) {
    const rule = isMissing(error)
      ? 'the file does not exist; check the path'
      : `the file cannot be read (${errorMessage(error)})`
    throw new Error(`${place}: ${rule}`, { cause: error })
  }
}

async function* readJsonLines(path: string, what: string): AsyncGenerator<FileRecord> {
  for await (const { first, lines } of readLines(path, what)) {
    for (const [i, line] of lines.entries()) {
      if (line.trim() === '') continue
      const place = `line ${first + i}`
      let value: unknown
      try {
        value = JSON.parse(line)
      } catch {
        yield { place, fault: `every line must be one whole JSON record, got ${quote(line)}; is the file cut off?` }
        continue
      }
      yield { place, value }
    }
  }
}
