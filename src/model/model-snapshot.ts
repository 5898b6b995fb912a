import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { snapshotOf } from '../hub/hub-cache.js'
import type { CachePlaces } from '../hub/hub-cache.js'

/** The folder of a revision (branch, tag or commit) if all that a model needs is in the cache. */
export async function cachedSnapshot(places: CachePlaces, revision: string): Promise<string | undefined> {
  const folder = await snapshotOf(places, revision)
  return (await isComplete(folder)) ? folder : undefined
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
