const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/**
 * The first field of two values that differs, by its path (`measures.maxRatio`, `ids.3`); numbers are the same where `Object.is`
 * says so.
 * @param ignores Tells by its name which field is left out.
 */
export function firstDifference(
  a: object,
  b: object,
  ignores: (name: string) => boolean = () => false,
  path = '',
): { field: string; values: [unknown, unknown] } | undefined {
  const [first, second] = [a as Record<string, unknown>, b as Record<string, unknown>]
  for (const key of new Set([...Object.keys(first), ...Object.keys(second)])) {
    const [one, other] = [first[key], second[key]]
    if (Object.is(one, other) || ignores(key)) continue
    const field = path === '' ? key : `${path}.${key}`
    const bothObjects = isObject(one) && isObject(other) && Array.isArray(one) === Array.isArray(other)
    const found = bothObjects
      ? insideDifference(one, other, ignores, field)
      : { field, values: [one, other] as [unknown, unknown] }
    if (found) return found
  }
  return undefined
}

/** Objects without fields of their own, such as dates and maps, are compared by what they hold. */
function insideDifference(
  a: object,
  b: object,
  ignores: (name: string) => boolean,
  field: string,
): ReturnType<typeof firstDifference> {
  if (a instanceof Date || b instanceof Date)
    return a instanceof Date && b instanceof Date && Object.is(a.getTime(), b.getTime())
      ? undefined
      : { field, values: [a, b] }
  const listOf = (value: object): object =>
    value instanceof Map || value instanceof Set ? ([...value] as object) : value
  return firstDifference(listOf(a), listOf(b), ignores, field)
}

/** Every single value below an object, by its path; a list is one value. */
export function flatFields(value: object, path = ''): Map<string, unknown> {
  const flat = new Map<string, unknown>()
  for (const [key, inner] of Object.entries(value)) {
    const field = path === '' ? key : `${path}.${key}`
    if (isObject(inner) && !Array.isArray(inner))
      for (const [name, one] of flatFields(inner, field)) flat.set(name, one)
    else flat.set(field, inner)
  }
  return flat
}
