import { rename, rm } from 'node:fs/promises'

/**
 * Puts a folder that was written aside in the place of `target`. A folder can't be renamed over a full one: the old one
 * steps aside, and back if that fails.
 */
export async function replaceFolder(fresh: string, target: string): Promise<void> {
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
