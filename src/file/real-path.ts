import { lstat, readlink, realpath } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { errorCode, isMissing } from './write-error.js'

/** As many links in a row as Linux follows. */
const LINKS = 40

/**
 * Where a path leads when its links are followed; the last part need not exist, so a link may lead to what is still to
 * be written. Folders of the path that don't exist are left as they are named.
 */
export async function realTarget(path: string): Promise<string> {
  let target = resolve(path)
  for (let links = 0; links < LINKS; links++) {
    const folder = await realpath(dirname(target)).catch(() => dirname(target))
    target = join(folder, basename(target))
    const found = await lstat(target).catch((error: unknown) => {
      if (isMissing(error) || errorCode(error) === 'ENOTDIR') return undefined
      throw error
    })
    if (!found?.isSymbolicLink()) return target
    target = resolve(folder, await readlink(target))
  }
  throw new Error(`${path}: too many links lead to one another`)
}
