import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { errorMessage } from './write-error.js'

/** What a file held when it was written. */
export interface StoredBytes {
  bytes: number
  sha256: string
}

/** Bytes that are read, written and hashed at a time: no longer than a timer can wait. */
const CHUNK = 1 << 22

/** Writes a file, chunk after chunk; inside of a folder that is being written. */
export async function writeBytes(
  path: string,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<StoredBytes> {
  const hash = createHash('sha256')
  let bytes = 0
  const file = await open(path, 'wx')
  try {
    for await (const chunk of chunks) {
      for (let from = 0; from < chunk.length; from += CHUNK) {
        const part = chunk.subarray(from, from + CHUNK)
        hash.update(part)
        await file.writeFile(part)
      }
      bytes += chunk.length
    }
  } finally {
    await file.close()
  }
  return { bytes, sha256: hash.digest('hex') }
}

/**
 * Reads a file whole, into memory that is there already.
 * @throws {Error} where it cannot be read, or is not what was written; the message is the end of a sentence about it
 */
export async function readBytes(path: string, stored: StoredBytes, into: Uint8Array): Promise<void> {
  const hash = createHash('sha256')
  const file = await open(path, 'r').catch((error: unknown) => {
    throw new Error(`cannot be read (${errorMessage(error)})`, { cause: error })
  })
  try {
    const { size } = await file.stat()
    if (size !== stored.bytes || into.length !== stored.bytes) {
      throw new Error(`must have ${stored.bytes} bytes, has ${size}`)
    }
    for (let from = 0; from < into.length;) {
      const { bytesRead } = await file.read(into, from, Math.min(CHUNK, into.length - from), from)
      if (bytesRead === 0) throw new Error('ended early')
      hash.update(into.subarray(from, from + bytesRead))
      from += bytesRead
    }
  } finally {
    await file.close()
  }
  if (hash.digest('hex') !== stored.sha256) throw new Error('is damaged: its checksum is another')
}
