import { open, readdir, rename, rm, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { isRunning } from './process-identity.js'
import { realTarget } from './real-path.js'
import { syncFolder } from './sync.js'

/** A file being written; nothing is at its path until it is finished. */
export interface PendingFile {
  readonly handle: FileHandle
  /** Flushes to the disk, then puts the file in its place. What was there before stays until then. */
  finish(): Promise<void>
  /** Deletes what was written. Safe to call twice, and after `finish`, where it does nothing. */
  abort(): Promise<void>
}

let count = 0

/**
 * Begins a file that appears whole, or not at all. A link stays, and what it leads to is replaced; an earlier file's mode
 * is kept. What killed processes left beside it is deleted.
 */
export async function createFile(path: string): Promise<PendingFile> {
  const target = await realTarget(path)
  const mode = await stat(target).then(
    (found) => found.mode & 0o7777,
    () => undefined,
  )
  await deleteLeft(target)
  const aside = asidePath(target, hostname(), process.pid, count++)
  const handle = await open(aside, 'wx', mode)
  let state: 'open' | 'closed' | 'done' = 'open'
  const close = async (): Promise<void> => {
    if (state !== 'open') return
    state = 'closed'
    await handle.close()
  }
  return {
    handle,
    async finish() {
      // The mode at opening is cut by the process's mask.
      if (mode !== undefined) await handle.chmod(mode)
      await handle.sync()
      await close()
      await rename(aside, target)
      state = 'done'
      await syncFolder(dirname(target))
    },
    async abort() {
      if (state === 'done') return
      await close().catch(() => undefined)
      await rm(aside, { force: true })
    },
  }
}

/** Writes a file whole. */
export async function writeFileWhole(path: string, content: string | Uint8Array): Promise<void> {
  const file = await createFile(path)
  try {
    await file.handle.writeFile(content)
    await file.finish()
  } finally {
    await file.abort()
  }
}

const asidePath = (target: string, host: string, pid: number, n: number): string =>
  join(dirname(target), `.${basename(target)}.${host}.${pid}.${n}.partial`)

async function deleteLeft(target: string): Promise<void> {
  const start = `.${basename(target)}.${hostname()}.`
  for (const name of await readdir(dirname(target))) {
    const pid = name.startsWith(start) && /^(\d+)\.\d+\.partial$/.exec(name.slice(start.length))?.[1]
    if (!pid || (await isRunning({ pid: Number(pid), host: hostname(), started: '' }))) continue
    await rm(join(dirname(target), name), { force: true })
  }
}
