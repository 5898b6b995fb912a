import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** A file of a server that answers ranges. */
export interface RemoteFile {
  url: string
  /** Bytes. */
  size: number
  /** Of the content (`sha256`), or of the content as a blob of git (`git-sha1`). */
  checksum: { algorithm: 'sha256' | 'git-sha1'; hex: string }
}

/** fetch, or a function around it that adds headers. */
export type Send = (url: string, init: { headers: Record<string, string> }) => Promise<Response>

/** What is downloaded, and how. */
interface Download {
  send: Send
  file: RemoteFile
  target: string
  onBytes: (bytes: number) => void
}

/** Where a transfer stands: bytes on the disk, and their digest. */
interface Transfer {
  received: number
  hash: Hash
}

/** Attempts in a row that bring no byte before a transfer is given up. */
const ATTEMPTS = 4

const FIRST_PAUSE_MS = 500

const READ_AT_ONCE = 1 << 20

/** Where a cut transfer leaves what it has got; the same name as Python's hub client takes. */
export const partialPath = (target: string): string => `${target}.incomplete`

/**
 * Downloads a file. A cut transfer goes on where it was cut, in this call and in a later one; the file appears at
 * `target` only when it is whole and its checksum is right.
 * @param onBytes Gets the bytes that are on the disk.
 * @throws where the server refuses, the transfer stays cut, the checksum is wrong or the disk is full
 */
export async function fetchFile(
  send: Send,
  file: RemoteFile,
  target: string,
  onBytes: (bytes: number) => void = () => {},
): Promise<void> {
  const download = { send, file, target, onBytes }
  const resumed = await fetchOnce(download)
  if (resumed === 'whole') return
  // What an earlier process left may not have reached the disk before a power cut; from the start, it is all new.
  if (resumed === 'damaged after resuming' && (await fetchOnce(download)) === 'whole') return
  throw new Error(`the checksum of ${file.url} is wrong; what was received has been deleted, try again`)
}

async function fetchOnce(download: Download): Promise<'whole' | 'damaged' | 'damaged after resuming'> {
  const { file, target, onBytes } = download
  const partial = partialPath(target)
  // Not truncated, and written by position: a second process that fetches the same file writes the same bytes.
  const handle = await open(partial, constants.O_RDWR | constants.O_CREAT)
  try {
    const transfer = await resume(handle, file)
    const start = transfer.received
    onBytes(transfer.received)
    await receiveAll(download, handle, transfer)
    if (transfer.hash.digest('hex') !== file.checksum.hex) {
      await rm(partial, { force: true })
      return start > 0 ? 'damaged after resuming' : 'damaged'
    }
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(partial, target).catch(async (error: unknown) => {
    const other = await stat(target).catch(() => undefined)
    if (other?.size !== file.size) throw error
  })
  return 'whole'
}

function newHash({ checksum, size }: RemoteFile): Hash {
  return checksum.algorithm === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`)
}

/** The state that an earlier transfer left on the disk. */
async function resume(handle: FileHandle, file: RemoteFile): Promise<Transfer> {
  const transfer = { received: 0, hash: newHash(file) }
  const { size } = await handle.stat()
  if (size > file.size) {
    await handle.truncate(0)
    return transfer
  }
  const buffer = Buffer.allocUnsafe(Math.min(READ_AT_ONCE, size))
  while (transfer.received < size) {
    const { bytesRead } = await handle.read(
      buffer,
      0,
      Math.min(buffer.length, size - transfer.received),
      transfer.received,
    )
    if (bytesRead === 0) break
    transfer.hash.update(buffer.subarray(0, bytesRead))
    transfer.received += bytesRead
  }
  return transfer
}

async function receiveAll(download: Download, handle: FileHandle, transfer: Transfer): Promise<void> {
  const { file } = download
  for (let fruitless = 0; transfer.received < file.size;) {
    const before = transfer.received
    let failure: unknown = new Error(`the server ended ${file.url} at byte ${before} of ${file.size}`)
    try {
      await receive(download, handle, transfer)
    } catch (error) {
      if (!passes(error)) throw error
      failure = error
    }
    if (transfer.received >= file.size) return
    fruitless = transfer.received > before ? 0 : fruitless + 1
    if (fruitless === ATTEMPTS) throw failure
    await sleep(FIRST_PAUSE_MS * 2 ** Math.max(0, fruitless - 1))
  }
}

/** One request, until its answer ends. */
async function receive({ send, file, onBytes }: Download, handle: FileHandle, transfer: Transfer): Promise<void> {
  // Ranges count bytes of what is sent, so it must not be compressed.
  const headers: Record<string, string> = { 'accept-encoding': 'identity' }
  if (transfer.received > 0) headers['range'] = `bytes=${transfer.received}-`
  const response = await send(file.url, { headers })
  const from = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1]
  if (!response.ok || !response.body) {
    await response.body?.cancel()
    throw statusError(file.url, response.status)
  }
  if (response.status !== 206 || Number(from) !== transfer.received) {
    if (response.status === 206) {
      await response.body.cancel()
      throw new Error(`${file.url}: asked for bytes from ${transfer.received}, got those from ${from}`)
    }
    // A server without ranges sends all of it again.
    transfer.received = 0
    transfer.hash = newHash(file)
  }
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    if (transfer.received + chunk.length > file.size)
      throw new Error(`${file.url} is longer than the ${file.size} bytes listed`)
    for (let done = 0; done < chunk.length;) {
      done += (await handle.write(chunk, done, chunk.length - done, transfer.received + done)).bytesWritten
    }
    transfer.hash.update(chunk)
    transfer.received += chunk.length
    onBytes(transfer.received)
  }
}

function statusError(url: string, statusCode: number): Error {
  return Object.assign(new Error(`${url} was answered with status ${statusCode}`), { statusCode })
}

/** True for faults of the network and of a busy server, which a later attempt may not meet. */
function passes(error: unknown): boolean {
  const { statusCode } = error as { statusCode?: number }
  if (statusCode !== undefined) return statusCode === 408 || statusCode === 429 || statusCode >= 500
  return isNetworkError(error)
}

/** True where no whole answer came; fetch reports it as a TypeError with a cause. */
export function isNetworkError(error: unknown): boolean {
  return error instanceof TypeError && error.cause instanceof Error && 'code' in error.cause
}
