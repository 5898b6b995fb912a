import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { writeError } from './safetensors-writer.js'

/**
 * Writes a folder whole: `write` fills a sibling of it, which then takes its place. Whatever was there stays until then.
 * @throws {Error} where `write` does, or the disk is full; the sibling is then gone
 */
export async function writeFolder(folder: string, write: (aside: string) => Promise<void>): Promise<void> {
  const target = resolve(folder)
  const aside = join(dirname(target), `.${basename(target)}.${randomUUID().slice(0, 8)}.partial`)
  try {
    await mkdir(aside, { recursive: true })
    await write(aside)
    await syncFolder(aside)
    await replaceFolder(aside, target)
  } catch (error) {
    await rm(aside, { recursive: true, force: true })
    throw writeError(target, error)
  }
}

/**
 * A mistyped folder must not cost what is in it: it may hold nothing yet, or what it is to hold.
 * @param marker file by which `what` is known
 * @param operation begins the error
 * @throws {Error} where it holds something else, or is no folder
 */
export async function checkFolder(folder: string, what: string, marker: string, operation: string): Promise<void> {
  const target = resolve(folder)
  const names = await readdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [] as string[]
    throw new Error(`${operation}: ${target} is no folder`, { cause: error })
  })
  if (names.length === 0 || names.includes(marker)) return
  throw new Error(`${operation}: ${target} holds files but no ${what} (${marker}); choose another folder`)
}

/** Weights are flushed as they are finished; this flushes the small files and the folder's list of names. */
async function syncFolder(folder: string): Promise<void> {
  const others = (await readdir(folder)).filter((name) => !name.endsWith('.safetensors'))
  for (const path of [...others.map((name) => join(folder, name)), folder]) {
    const handle = await open(path, 'r')
    await handle.sync().finally(() => handle.close())
  }
}

/** A folder cannot be renamed over a full one: the old one steps aside, and back if that fails. */
async function replaceFolder(fresh: string, target: string): Promise<void> {
  const old = `${fresh}.old`
  const stepped = await rename(target, old).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )
  try {
    await rename(fresh, target)
  } catch (error) {
    if (stepped) await rename(old, target)
    throw error
  }
  if (stepped) await rm(old, { recursive: true, force: true })
}
