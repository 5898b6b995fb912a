import { cp, link, mkdir, readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/**
 * A second name for a file, or for all files of a folder, that takes no place on the disk; a copy where the disk has no such
 * links. For files that are never changed, only replaced.
 */
export async function linkTree(from: string, to: string): Promise<void> {
  if ((await stat(from)).isDirectory()) {
    await mkdir(to, { recursive: true })
    for (const name of await readdir(from)) await linkTree(join(from, name), join(to, name))
    return
  }
  await mkdir(dirname(to), { recursive: true })
  await link(from, to).catch(() => cp(from, to))
}
