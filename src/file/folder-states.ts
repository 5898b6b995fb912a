import { randomUUID } from 'node:crypto'
import { access, chmod, lstat, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { syncFolder } from './sync.js'
import { errorMessage, isMissing } from './write-error.js'

/**
 * The places of a folder that is written whole, hidden beside it. Each step from one to the next is one rename:
 * `.name.<some>.partial` is being filled, or deleted; `.name.next` is complete, and about to take its place;
 * `.name.previous` is the old folder, which has made way for it. Whatever is there after a writer was killed, the
 * folder is at one of the three whole.
 */
export interface FolderPlaces {
  target: string
  next: string
  previous: string
  lock: string
  /** A new place for what may be deleted at any time. */
  partial: () => string
}

export function placesOf(target: string): FolderPlaces {
  const beside = (state: string): string => join(dirname(target), `.${basename(target)}.${state}`)
  return {
    target,
    next: beside('next'),
    previous: beside('previous'),
    lock: beside('lock'),
    partial: () => beside(`${randomUUID().slice(0, 8)}.partial`),
  }
}

export const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

/**
 * Puts the complete folder at `next` in its place, from whichever step the last writer came to.
 * @throws {Error} where it cannot; it says where the folders are then, which all stay whole
 */
export async function moveIntoPlace({ target, next, previous }: FolderPlaces): Promise<void> {
  let moved = false
  try {
    if (await exists(target)) {
      await rename(target, previous)
      moved = true
    }
    await rename(next, target)
  } catch (error) {
    const back = moved && !(await exists(target)) ? await rename(previous, target).catch(errorMessage) : undefined
    const where = back === undefined ? '' : `, and what was there before is in ${previous} (${back})`
    throw new Error(
      `cannot put the new folder at ${target} (${errorMessage(error)}); it is complete in ${next}${where}; move it yourself`,
      { cause: error },
    )
  }
  await syncFolder(dirname(target))
}

/**
 * Deals with the folder that has made way: what the new one does not have is carried over, the rest deleted, or kept
 * whole inside the new one.
 * @param owns see FolderKind
 * @param keepAs name inside the new folder; default: it is deleted
 */
export async function settle(places: FolderPlaces, owns: (name: string) => boolean, keepAs?: string): Promise<void> {
  const { target, previous, partial } = places
  if (!(await exists(previous))) return
  try {
    for (const name of await readdir(previous)) {
      if (owns(name) || name === keepAs || (await exists(join(target, name)))) continue
      await rename(join(previous, name), join(target, name))
    }
    if (keepAs === undefined) await discard(previous, partial())
    else {
      // Two generations, not all of them.
      await discard(join(previous, keepAs), partial())
      await discard(join(target, keepAs), partial())
      await rename(previous, join(target, keepAs))
    }
  } catch (error) {
    throw new Error(
      `${target} is written, but what was there before is still in ${previous} (${errorMessage(error)})`,
      {
        cause: error,
      },
    )
  }
  await syncFolder(target)
  await syncFolder(dirname(target))
}

/** Deletes what killed writers left half filled, or half deleted. */
export async function deletePartials(target: string): Promise<void> {
  const start = `.${basename(target)}.`
  for (const name of await readdir(dirname(target))) {
    if (!name.startsWith(start) || !/^[0-9a-f]{8}\.partial$/.test(name.slice(start.length))) continue
    await rm(join(dirname(target), name), { recursive: true, force: true })
  }
}

/** A folder half deleted must not look like a whole one, so it takes another name first. */
export async function discard(folder: string, partial: string): Promise<void> {
  try {
    await rename(folder, partial)
  } catch (error) {
    if (isMissing(error)) return
    throw error
  }
  await rm(partial, { recursive: true, force: true })
}

/** Gives the files of a new folder the modes that they have in the old one. */
export async function keepModes(old: string, fresh: string): Promise<void> {
  const found = await lstat(old).catch(() => undefined)
  const entry = await lstat(fresh)
  if (!found || found.isDirectory() !== entry.isDirectory() || found.isFile() !== entry.isFile()) return
  if (entry.isDirectory()) {
    for (const name of await readdir(fresh)) await keepModes(join(old, name), join(fresh, name))
  }
  if (found.mode !== entry.mode && !entry.isSymbolicLink()) await chmod(fresh, found.mode & 0o7777)
}
