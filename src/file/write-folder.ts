import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkTarget } from './folder-check.js'
import type { FolderKind } from './folder-check.js'
import { deletePartials, exists, keepModes, moveIntoPlace, placesOf, settle } from './folder-states.js'
import type { FolderPlaces } from './folder-states.js'
import { isLocked, takeLock } from './lock.js'
import type { Lock } from './lock.js'
import { realTarget } from './real-path.js'
import { syncFolder, syncTree } from './sync.js'
import { errorMessage, writeError } from './write-error.js'

export type { FolderKind } from './folder-check.js'

export interface FolderOptions {
  /** True replaces a folder of the same kind; default false: it is refused. */
  overwrite?: boolean
  /** Name inside the folder under which the one before stays, whole; default: it is deleted. */
  keepPreviousAs?: string
}

/** A folder that this process alone may write, until it is closed. */
export interface FolderWriter {
  /** The folder, links followed. */
  readonly folder: string
  /**
   * Writes it whole: `fill` fills a folder beside it, which then takes its place. May be called again.
   * @throws {Error} where `fill` does, or the disk is full: what was there before is untouched then
   */
  write(fill: (aside: string) => Promise<void>): Promise<void>
  /** Lets others write. Safe to call twice. */
  close(): Promise<void>
}

/**
 * Opens a folder for writing before the work whose result it is to hold: what could not be written is refused now, other
 * writers are kept away, and what a killed writer left is put right. Folders above it are made.
 * @throws {Error} where it holds something else, or the same without `overwrite`; where it cannot be written or
 * replaced; where another process writes it
 */
export async function openFolder(
  folder: string,
  kind: FolderKind,
  { overwrite = false, keepPreviousAs }: FolderOptions = {},
): Promise<FolderWriter> {
  const target = await explained(kind, folder, () => realTarget(folder))
  const places = placesOf(target)
  const subject = `${kind.operation}: ${target}`
  // Twice: nothing is put beside a folder that is refused, and another writer may have ended before the lock was ours.
  await checkUnlessWritten(places, kind, overwrite)
  const lock = await explained(kind, target, async () => {
    await mkdir(dirname(target), { recursive: true })
    return takeLock(places.lock, subject)
  })
  try {
    await explained(kind, target, async () => {
      await recover(places, kind, keepPreviousAs)
      await probe(places.partial(), places.partial())
    })
    await checkTarget(target, kind, overwrite)
  } catch (error) {
    await lock.release()
    throw error
  }
  return {
    folder: target,
    write: (fill) => explained(kind, target, () => replace(places, lock, kind, keepPreviousAs, fill)),
    close: () => lock.release(),
  }
}

/** How often a check that failed is made again: what it saw may have been another writer's, between two renames. */
const CHECKS = 3

/** Checks the target before the lock is taken. While another writer holds it, the lock says so, and the check comes after it. */
async function checkUnlessWritten(places: FolderPlaces, kind: FolderKind, overwrite: boolean): Promise<void> {
  for (let left = CHECKS - 1; ; left--) {
    try {
      return await checkTarget(places.target, kind, overwrite || (await isLeft(places)))
    } catch (error) {
      if (await isLocked(places.lock).catch(() => false)) return
      if (left === 0) throw error
    }
  }
}

/** Opens, writes and closes a folder. */
export async function writeFolder(
  folder: string,
  kind: FolderKind,
  options: FolderOptions,
  fill: (aside: string) => Promise<void>,
): Promise<void> {
  const writer = await openFolder(folder, kind, options)
  try {
    await writer.write(fill)
  } finally {
    await writer.close()
  }
}

/** How long a reader waits for a writer that is between two renames. */
const GAP_MS = 5000

/**
 * To be called before a folder, or a file in it, is read: where a writer was killed between two renames, the folder is put
 * in its place. What is there is left as it is.
 * @throws {Error} where it cannot; it says where the folder is
 */
export async function recoverFolder(path: string): Promise<void> {
  for (let part = await realTarget(path); part !== dirname(part); part = dirname(part)) {
    if (await exists(part)) return
    const places = placesOf(part)
    if (!(await isLeft(places))) continue
    const end = Date.now() + GAP_MS
    while ((await isLocked(places.lock)) && Date.now() < end && !(await exists(part))) await sleep(10)
    if (await exists(part)) continue
    try {
      const lock = await takeLock(places.lock, part)
      try {
        await putBack(places)
      } finally {
        await lock.release()
      }
    } catch (error) {
      const whole = (await exists(places.next)) ? places.next : places.previous
      if (await exists(part)) continue
      throw new Error(
        `${part} is not there: its writer was ended as it was replaced; it is whole in ${whole}, rename that (${errorMessage(error)})`,
        { cause: error },
      )
    }
  }
}

const isLeft = async ({ next, previous }: FolderPlaces): Promise<boolean> =>
  (await exists(next)) || (await exists(previous))

/** Finishes the newest complete folder, or puts the old one back. */
async function putBack(places: FolderPlaces): Promise<void> {
  if (await exists(places.next)) return moveIntoPlace(places)
  if ((await exists(places.target)) || !(await exists(places.previous))) return
  await rename(places.previous, places.target)
  await syncFolder(dirname(places.target))
}

async function recover(places: FolderPlaces, kind: FolderKind, keepPreviousAs: string | undefined): Promise<void> {
  await putBack(places)
  await settle(places, kind.owns, keepPreviousAs)
  await deletePartials(places.target)
}

/** A folder is made, filled and renamed beside the target, as the real one will be. */
async function probe(partial: string, renamed: string): Promise<void> {
  try {
    // One by one: of a full disk, `recursive` would say that something is missing.
    await mkdir(partial)
    await mkdir(join(partial, 'folder'))
    await rename(partial, renamed)
  } finally {
    await rm(partial, { recursive: true, force: true })
    await rm(renamed, { recursive: true, force: true })
  }
}

async function replace(
  places: FolderPlaces,
  lock: Lock,
  kind: FolderKind,
  keepPreviousAs: string | undefined,
  fill: (aside: string) => Promise<void>,
): Promise<void> {
  const partial = places.partial()
  try {
    const old = await stat(places.target).catch(() => undefined)
    // Nobody may look into it meanwhile who may not look into the old one.
    await mkdir(partial, { mode: old ? (old.mode & 0o777) | 0o700 : 0o777 })
    await fill(partial)
    if (old) await keepModes(places.target, partial)
    await syncTree(partial)
    // From an earlier write whose end failed.
    await putBack(places)
    await settle(places, kind.owns, keepPreviousAs)
    await lock.check()
    await rename(partial, places.next)
  } catch (error) {
    await rm(partial, { recursive: true, force: true })
    throw error
  }
  await moveIntoPlace(places)
  await settle(places, kind.owns, keepPreviousAs)
}

/** Errors of the disk get words. */
async function explained<T>(kind: FolderKind, target: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const told = writeError(target, error)
    throw told === error ? told : new Error(`${kind.operation}: ${told.message}`, { cause: error })
  }
}
