import { access, mkdir, readFile, symlink } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { writeFileWhole } from '../file/whole-file.js'

/** What a repository of the hub holds. */
export type HubKind = 'model' | 'dataset'

/**
 * Places of one repository in the cache of Hugging Face, which Python's libraries share:
 * `models--owner--name/{blobs/<hash>, snapshots/<commit>/<file> → blob, refs/<revision>}`, or `datasets--…`.
 */
export interface CachePlaces {
  readonly blobs: string
  blob(hash: string): string
  snapshot(commit: string): string
  ref(revision: string): string
}

export function cachePlaces(cacheDir: string, kind: HubKind, name: string): CachePlaces {
  const root = join(cacheDir, `${kind}s--${name.replace('/', '--')}`)
  return {
    blobs: join(root, 'blobs'),
    blob: (hash) => join(root, 'blobs', hash),
    snapshot: (commit) => join(root, 'snapshots', commit),
    ref: (revision) => join(root, 'refs', revision),
  }
}

/** A file of a revision, if it is in the cache; it appears there when it is whole. */
export async function cachedFile(places: CachePlaces, revision: string, path: string): Promise<string | undefined> {
  const file = join(await snapshotOf(places, revision), path)
  return access(file).then(
    () => file,
    () => undefined,
  )
}

/** Where the files of a revision are, if they are in the cache. */
export async function snapshotOf(places: CachePlaces, revision: string): Promise<string> {
  const commit = await readFile(places.ref(revision), 'utf8').catch(() => revision)
  return places.snapshot(commit.trim())
}

/** Shows a blob under its name in a snapshot. */
export async function linkBlob(blob: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await symlink(relative(dirname(path), blob), path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}

/** Remembers which commit a revision is; done last, so that a revision that is known is complete. */
export async function writeRef(places: CachePlaces, revision: string, commit: string): Promise<void> {
  const path = places.ref(revision)
  await mkdir(dirname(path), { recursive: true })
  await writeFileWhole(path, commit)
}
