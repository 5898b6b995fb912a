import { copyFile, link, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * A second folder with the same files, which take no further space on the disk: for files that are only ever replaced, never
 * changed. Where the disk has no such links, they are copied.
 */
export async function linkTree(from: string, to: string): Promise<void> {
  await mkdir(to)
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) await linkTree(source, target)
    else await link(source, target).catch(() => copyFile(source, target))
  }
}
