export const errorCode = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined

export const errorMessage = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** True for the codes that say that something is not there. */
export const isMissing = (error: unknown): boolean => errorCode(error) === 'ENOENT'

/** What went wrong while writing, in words for the person whose disk it is. */
export function writeError(path: string, error: unknown): Error {
  const rule = RULES[String(errorCode(error))]
  if (rule !== undefined) return new Error(`cannot write ${path}: ${rule}`, { cause: error })
  return error instanceof Error ? error : new Error(String(error))
}

const FULL = 'no space left on the disk; free some or choose another folder'
const DENIED = 'permission denied; choose another folder'

const RULES: Readonly<Record<string, string>> = {
  ENOSPC: FULL,
  EDQUOT: FULL,
  EACCES: DENIED,
  EPERM: DENIED,
  EROFS: 'the disk is read-only; choose another folder',
  ENOTDIR: 'a part of its path is no folder; choose another folder',
  ENAMETOOLONG: 'the name is too long; choose a shorter one',
}
