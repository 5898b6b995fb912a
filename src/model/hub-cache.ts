import { access, mkdir, readFile, symlink } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { writeFileWhole } from '../file/whole-file.js'

/**
 * Places of one model in the cache of Hugging Face, which Python's libraries share:
 * `models--owner--name/{blobs/<hash>, snapshots/<commit>/<file> → blob, refs/<revision>}`.
 */
export interface CachePlaces {
  readonly blobs: string
  blob(hash: string): string
  snapshot(commit: string): string
  ref(revision: string): string
}

export function cachePlaces(cacheDir: string, name: string): CachePlaces {
  const root = join(cacheDir, `models--${name.replace('/', '--')}`)
  return {
    blobs: join(root, 'blobs'),
    blob: (hash) => join(root, 'blobs', hash),
    snapshot: (commit) => join(root, 'snapshots', commit),
    ref: (revision) => join(root, 'refs', revision),
  }
}

/** The folder of a revision (branch, tag or commit) if all that a model needs is in the cache. */
export async function cachedSnapshot(places: CachePlaces, revision: string): Promise<string | undefined> {
  const folder = await snapshotOf(places, revision)
  return (await isComplete(folder)) ? folder : undefined
}

/** A file of a revision, if it is in the cache; it appears there when it is whole. */
export async function cachedFile(places: CachePlaces, revision: string, path: string): Promise<string | undefined> {
  const file = join(await snapshotOf(places, revision), path)
  return access(file).then(
    () => file,
    () => undefined,
  )
}

async function snapshotOf(places: CachePlaces, revision: string): Promise<string> {
  const commit = await readFile(places.ref(revision), 'utf8').catch(() => revision)
  return places.snapshot(commit.trim())
}

async function isComplete(folder: string): Promise<boolean> {
  const index = await readFile(join(folder, 'model.safetensors.index.json'), 'utf8').catch(() => undefined)
  const weights = index === undefined ? ['model.safetensors'] : shardNames(index)
  const needed = ['config.json', 'tokenizer.json', ...weights].map((file) => access(join(folder, file)))
  return (await Promise.allSettled(needed)).every(({ status }) => status === 'fulfilled')
}

/** File names that a shard index points to. */
export function shardNames(index: string): string[] {
  const { weight_map: map } = JSON.parse(index) as { weight_map: Record<string, string> }
  return [...new Set(Object.values(map))]
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
