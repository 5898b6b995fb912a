import { asyncBufferFromFile, parquetMetadataAsync, parquetScan, parquetSchema } from 'hyparquet'
import type { SchemaElement } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { ByteWriter, parquetWriteRows } from 'hyparquet-writer'
import type { FileRecord } from './file-record.js'
import { createFile } from './whole-file.js'
import type { PendingFile } from './whole-file.js'
import { errorMessage, isMissing, writeError } from './write-error.js'

/** Rows of a group that we write: what a reader has to hold at a time. */
const GROUP = 10_000

/**
 * The rows of a Parquet file, one row group after the other: memory holds one. Whole numbers come as numbers where a
 * double holds them.
 * @param choose Names the columns that are wanted, out of all: text that nobody reads is most of some files. Default all.
 */
export async function* readParquet(
  path: string,
  what: string,
  choose: (columns: string[]) => string[] = (columns) => columns,
): AsyncGenerator<FileRecord> {
  const fail = (error: unknown): Error =>
    new Error(`read ${what} ${path}: the Parquet file cannot be read (${errorMessage(error)}); is it whole?`, {
      cause: error,
    })
  const file = await asyncBufferFromFile(path)
  const metadata = await parquetMetadataAsync(file).catch((error: unknown) => {
    throw fail(error)
  })
  const columns = choose(parquetSchema(metadata).children.map(({ element }) => element.name))
  let number = 0
  try {
    const scan = await parquetScan({ file, metadata, columns, compressors })
    for (const { rowStart, rowEnd } of scan.ranges) {
      const data: [string, ArrayLike<unknown>][] = []
      for (const column of columns) data.push([column, await scan.readColumn({ column, rowStart, rowEnd })])
      // Rows are made one by one: those of a large group would be several times its columns.
      for (let i = 0; i < rowEnd - rowStart; i++) {
        const row = Object.fromEntries(data.map(([column, cells]) => [column, plain(cells[i])]))
        yield { place: `row ${++number}`, value: row }
      }
    }
  } catch (error) {
    throw fail(error)
  }
}

/** As JSON knows it: without BigInt and dates; what is absent is null. */
function plain(value: unknown): unknown {
  if (value === undefined) return null
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) return value.map(plain)
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
}

/** What a column of a Parquet file holds; every cell may be null. */
export type ColumnType =
  'text' | 'number' | 'integer' | 'boolean' | 'texts' | 'numbers' | 'integers' | 'messages' | 'json'

/**
 * Writes rows as Parquet, group by group: the rows need not fit into the memory. The file is written aside first, so that
 * a failure leaves the old one. Lists become `LIST` columns, which pandas and DuckDB read as such; whole numbers in them have
 * 32 bits.
 * @param columns The columns in order, and what each holds; `messages` is a list of structs of role and content, `json` is for what is none of the others, and reads as text.
 * @throws where a cell is not of its column's type, the folder does not exist, or the disk fails
 */
export async function writeParquet(
  path: string,
  rows: Iterable<Record<string, unknown>> | AsyncIterable<Record<string, unknown>>,
  columns: Readonly<Record<string, ColumnType>>,
): Promise<void> {
  const names = Object.keys(columns)
  let file: PendingFile | undefined
  try {
    file = await createFile(path)
    const { handle } = file
    const writer = new ByteWriter()
    const flush = async (): Promise<void> => {
      const bytes = new Uint8Array(writer.buffer, 0, writer.index).slice()
      writer.index = 0
      await handle.writeFile(bytes)
    }
    await parquetWriteRows({
      writer: Object.assign(writer, { flush }),
      rows: cellsOf(rows, columns),
      columns: names.map((name) => ({ name })),
      schema: [
        { name: 'schema', num_children: names.length },
        ...names.flatMap((name) => schemaOf(name, columns[name]!)),
      ],
      rowGroupSize: GROUP,
    })
    await flush()
    await file.finish()
  } catch (error) {
    await file?.abort()
    const rule = isMissing(error) ? 'the folder does not exist; make it first' : errorMessage(writeError(path, error))
    throw new Error(`write ${path}: ${rule}; what was there before is untouched`, { cause: error })
  }
}

function schemaOf(name: string, type: ColumnType): SchemaElement[] {
  const optional = { name, repetition_type: 'OPTIONAL' } as const
  const text = { type: 'BYTE_ARRAY', converted_type: 'UTF8' } as const
  switch (type) {
    case 'number':
      return [{ ...optional, type: 'DOUBLE' }]
    case 'integer':
      return [{ ...optional, type: 'INT64' }]
    case 'boolean':
      return [{ ...optional, type: 'BOOLEAN' }]
    case 'texts':
      return listOf(optional, text)
    case 'numbers':
      return listOf(optional, { type: 'DOUBLE' })
    case 'integers':
      return listOf(optional, { type: 'INT32' })
    case 'messages': {
      const fields = ['role', 'content'].map((field): SchemaElement => ({
        name: field,
        repetition_type: 'OPTIONAL',
        ...text,
      }))
      return [...listOf(optional, { num_children: fields.length }), ...fields]
    }
    default:
      return [{ ...optional, ...text }]
  }
}

const listOf = (
  column: Pick<SchemaElement, 'name' | 'repetition_type'>,
  element: Partial<SchemaElement>,
): SchemaElement[] => [
  { ...column, converted_type: 'LIST', num_children: 1 },
  { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
  { name: 'element', repetition_type: 'OPTIONAL', ...element },
]

async function* cellsOf(
  rows: Iterable<Record<string, unknown>> | AsyncIterable<Record<string, unknown>>,
  columns: Readonly<Record<string, ColumnType>>,
): AsyncGenerator<Record<string, unknown>> {
  let number = 0
  for await (const row of rows) {
    number++
    yield Object.fromEntries(
      Object.entries(columns).map(([name, type]) => {
        const value = row[name]
        if (value === undefined || value === null) return [name, null]
        const cell = CELLS[type](value)
        if (cell !== undefined) return [name, cell]
        throw new Error(`row ${number}, column ${name}: must be of type ${type}, got ${JSON.stringify(value)}`)
      }),
    )
  }
}

/** A cell as the writer takes it; undefined where it is not of the type. */
const CELLS: Readonly<Record<ColumnType, (value: NonNullable<unknown>) => unknown>> = {
  text: (value) => (typeof value === 'string' ? value : undefined),
  number: (value) => (typeof value === 'number' ? value : undefined),
  integer: (value) => (Number.isSafeInteger(value) ? BigInt(value as number) : undefined),
  boolean: (value) => (typeof value === 'boolean' ? value : undefined),
  texts: (value) => listIf(value, (item) => typeof item === 'string'),
  numbers: (value) => listIf(value, (item) => item === null || typeof item === 'number'),
  integers: (value) => listIf(value, (item) => Number.isInteger(item) && item === (item as number) >> 0),
  messages: (value) => listIf(value, isMessage),
  json: (value) => JSON.stringify(value),
}

function isMessage(value: unknown): boolean {
  const { role, content } = (value ?? {}) as Record<string, unknown>
  return typeof role === 'string' && typeof content === 'string'
}

const listIf = (value: unknown, test: (item: unknown) => boolean): unknown[] | undefined =>
  Array.isArray(value) && value.every(test) ? value : undefined
