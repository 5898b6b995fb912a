import { statfs } from 'node:fs/promises'

/**
 * Says before the first byte, not after hours, that the disk of a cache folder is too small.
 * @param needed Bytes that are still to be written.
 */
export async function checkDiskSpace(cacheDir: string, needed: number): Promise<void> {
  const { bavail, bsize } = await statfs(cacheDir)
  if (needed <= bavail * bsize) return
  const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`
  throw new Error(
    `${megabytes(needed)} are to be written to ${cacheDir}, ${megabytes(bavail * bsize)} are free; ` +
      'free some or name another cacheDir',
  )
}
