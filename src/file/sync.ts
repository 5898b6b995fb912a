import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from './write-error.js'

/** Flushes a folder's list of names: a rename in it then survives a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } catch (error) {
    // Some network disks know no flushing of folders.
    if (errorCode(error) !== 'EINVAL' && errorCode(error) !== 'ENOTSUP') throw error
  } finally {
    await handle.close()
  }
}

/** Flushes a folder with everything in it. Links are left alone. */
export async function syncTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await syncTree(path)
    if (!entry.isFile()) continue
    const handle = await open(path, 'r')
    await handle.sync().finally(() => handle.close())
  }
  await syncFolder(folder)
}
