import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import type { ZodType } from 'zod'
import { readJsonl } from './jsonl.js'
import { writeError } from './write-error.js'

/** Records that are kept one after the other, as they come. */
export interface Journal<T> {
  /** Adds one at the end. It is on the disk when the promise resolves; those that are added together are flushed together. */
  add(record: T): Promise<void>
  /** Waits for what is under way, and frees the file. */
  close(): Promise<void>
}

const NEWLINE = 0x0a
const CHUNK = 1 << 16

/**
 * Opens a JSONL file to which records are added: what costs minutes or money to make is kept as soon as it is made. A line that
 * a killed writer left unfinished is cut off. The caller sees to it that nobody else writes it. It is made where it is missing.
 * @returns the records that are there, and the journal
 * @throws where a whole line is no record, or the disk fails
 */
export async function openJournal<T>(path: string, schema: ZodType<T>, what: string): Promise<[T[], Journal<T>]> {
  const handle = await open(path, 'a+')
  try {
    await handle.truncate(await endOfLines(handle))
    const records = await readJsonl(path, schema, what)
    return [records, journal(path, handle)]
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Where the last whole line ends. */
async function endOfLines(handle: FileHandle): Promise<number> {
  const { size } = await handle.stat()
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - CHUNK)
    const { buffer } = await handle.read(Buffer.alloc(end - start), 0, end - start, start)
    const newline = buffer.lastIndexOf(NEWLINE)
    if (newline >= 0) return start + newline + 1
    end = start
  }
  return 0
}

function journal<T>(path: string, handle: FileHandle): Journal<T> {
  let batch: { text: string; done: Promise<void> } | undefined
  let last = Promise.resolve()

  async function write(text: string): Promise<void> {
    const { size } = await handle.stat()
    try {
      await handle.appendFile(text)
      await handle.sync()
    } catch (error) {
      // Half a line must not stand before the next one.
      await handle.truncate(size).catch(() => undefined)
      throw writeError(path, error)
    }
  }

  function begin(): { text: string; done: Promise<void> } {
    const next = { text: '', done: last }
    const start = (): Promise<void> => {
      batch = undefined
      return write(next.text)
    }
    next.done = last.then(start, start)
    return next
  }

  return {
    add(record) {
      batch ??= begin()
      batch.text += `${JSON.stringify(record)}\n`
      last = batch.done
      return last
    },
    async close() {
      await last.catch(() => undefined)
      await handle.close()
    },
  }
}
