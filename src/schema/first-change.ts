/** Where two values differ, and how, as JSON. */
export interface Change {
  /** Names on the way to the place, with dots: `curriculum.end`. */
  path: string
  was: string
  is: string
}

/** The first place at which settings differ from saved ones; undefined where they are the same. */
export function firstChange(path: string, was: unknown, is: unknown): Change | undefined {
  if (isRecord(was) && isRecord(is)) {
    for (const key of new Set([...Object.keys(was), ...Object.keys(is)])) {
      const change = firstChange(path === '' ? key : `${path}.${key}`, was[key], is[key])
      if (change) return change
    }
    return undefined
  }
  const [before, after] = [was, is].map((value) => JSON.stringify(value) ?? 'absent') as [string, string]
  return before === after ? undefined : { path, was: before, is: after }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
