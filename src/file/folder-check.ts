import { constants } from 'node:fs'
import { access, lstat, readdir, rename, stat } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { errorCode, errorMessage, isMissing } from './write-error.js'

/** What a folder is to hold. */
export interface FolderKind {
  /** Begins the errors: `write checkpoint`. */
  operation: string
  /** What it's called: `checkpoint`. */
  what: string
  /** The file by which it is known. */
  marker: string
  /** How to go on with what is there, where that can be done: `resume: true`. */
  goOn?: string
  /** True for the names that a new one replaces, or leaves out; whatever else lies in the old folder is carried over. */
  owns: (name: string) => boolean
}

/** What stands in the way of `target` being replaced later, found out now. */
export async function checkTarget(target: string, kind: FolderKind, overwrite: boolean): Promise<void> {
  const refuse = (rule: string, cause?: unknown): never => {
    throw new Error(`${kind.operation}: ${target} ${rule}`, { cause })
  }
  const names = await readdir(target).catch((error: unknown) => {
    if (isMissing(error)) return undefined
    const isFile = errorCode(error) === 'ENOTDIR'
    return refuse(
      isFile ? 'is no folder, or is in a file; choose another' : `cannot be read: ${errorMessage(error)}`,
      error,
    )
  })
  if (!names) return
  if (isWithin(workingFolder(), target)) refuse('is the working folder or holds it; choose a folder inside it')
  if (await isMountPoint(target)) {
    refuse(`is a mount point, which cannot be replaced; choose a folder inside it, such as ${join(target, kind.what)}`)
  }
  if (await isKeptByOwner(target)) refuse('belongs to somebody else, in a folder where only owners may rename')
  if (names.length === 0) return
  // What is in it is carried over to the new one, or deleted.
  await access(target, constants.W_OK).catch((error: unknown) => refuse('may not be changed by this user', error))
  if (!names.includes(kind.marker)) {
    refuse(`holds files but no ${kind.what} (${kind.marker}); choose another folder`)
  }
  for (const name of names) {
    const inner = join(target, name)
    // Not of a link: it would be moved to where it leads.
    if ((await lstat(inner)).isDirectory() && (await isMountPoint(inner)))
      refuse(`holds the mount point ${name}, which cannot be moved; choose another folder`)
  }
  if (overwrite) return
  const goOn = kind.goOn === undefined ? '' : `\`${kind.goOn}\` goes on with it, `
  refuse(`holds a ${kind.what} already; ${goOn}\`overwrite: true\` replaces it, or choose another folder`)
}

/** A process goes on in a folder that is deleted, but can't say where it is. */
function workingFolder(): string {
  try {
    return process.cwd()
  } catch {
    return sep
  }
}

const isWithin = (path: string, folder: string): boolean => {
  const way = relative(folder, path)
  return way !== '..' && !way.startsWith(`..${sep}`)
}

/**
 * No folder can be moved into itself, so this changes nothing: the fault is EINVAL, but EXDEV or EBUSY where another disk,
 * or another part of the same, is mounted at it.
 */
async function isMountPoint(folder: string): Promise<boolean> {
  if (folder === dirname(folder)) return true
  const fault = await rename(folder, join(folder, 'itself')).catch(errorCode)
  return fault === 'EXDEV' || fault === 'EBUSY'
}

/** In a folder like /tmp only a file's owner, or the folder's, renames it. */
async function isKeptByOwner(target: string): Promise<boolean> {
  const uid = process.geteuid?.() ?? 0
  const [parent, entry] = [await stat(dirname(target)), await lstat(target)]
  return uid !== 0 && (parent.mode & 0o1000) !== 0 && parent.uid !== uid && entry.uid !== uid
}
