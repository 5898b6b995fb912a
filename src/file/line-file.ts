import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { errorMessage, writeError } from './write-error.js'

/** A file to which lines are added while work goes on. Whoever else reads it sees whole lines, and perhaps part of the last. */
export interface LineFile {
  /** Adds a line; the promise resolves when the system has it, so that it outlives this process. */
  add(line: string): Promise<void>
  /** Flushes to the disk. Nothing can be added any more. Safe to call twice. */
  close(): Promise<void>
}

/** Lines that were added so long ago outlive the machine too. */
const SYNC_MS = 2000

const CHUNK = 1 << 16
const NEWLINE = 0x0a

/** Opens a file to add lines; what a killed writer left of a last line is cut off. The folder must exist. */
export async function openLines(path: string): Promise<LineFile> {
  const handle = await open(path, 'a+')
  await cutTornLine(handle)
  let syncedAt = Date.now()
  let waiting = ''
  let writing = Promise.resolve()
  let closed = false

  async function write(): Promise<void> {
    const lines = waiting
    if (lines === '') return
    waiting = ''
    try {
      await handle.appendFile(lines)
      if (Date.now() - syncedAt < SYNC_MS) return
      syncedAt = Date.now()
      await handle.datasync()
    } catch (error) {
      throw new Error(`write ${path}: ${errorMessage(writeError(path, error))}`, { cause: error })
    }
  }
  return {
    add(line) {
      if (closed) return Promise.reject(new Error(`write ${path}: the file is closed`))
      waiting += `${line}\n`
      // What was added while others were written goes in one piece; after a failure nothing more is written.
      writing = writing.then(write)
      return writing
    },
    async close() {
      if (closed) return
      closed = true
      await writing.catch(() => undefined)
      try {
        await handle.sync()
      } finally {
        await handle.close()
      }
    },
  }
}

async function cutTornLine(handle: FileHandle): Promise<void> {
  const { size } = await handle.stat()
  const buffer = Buffer.allocUnsafe(CHUNK)
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - CHUNK)
    const { bytesRead } = await handle.read(buffer, 0, end - start, start)
    const newline = buffer.subarray(0, bytesRead).lastIndexOf(NEWLINE)
    if (newline >= 0) return start + newline + 1 < size ? handle.truncate(start + newline + 1) : undefined
    end = start
  }
  if (size > 0) await handle.truncate(0)
}
