import { inspect } from 'node:util'
import { z } from 'zod'
import type { ZodType } from 'zod'

/**
 * Checks the options of a public function, at its door. A key whose value is undefined counts as absent.
 *
 * Schemas are `z.strictObject`, so that a mistyped key is refused. Their own messages finish the sentence
 * "<field> must …"; without one, zod's rule is put so. Values that are not plain data are checked with `anObject` and
 * `aFunction`, which hand them on as they are.
 * @param operation Begins the message: `train`.
 * @returns what the schema gives, its defaults included
 * @throws `${operation}: ${field} must …, got …`
 */
export function parseOptions<T>(operation: string, schema: ZodType<T>, options: unknown): T {
  const given = withoutUndefined(options)
  const result = schema.safeParse(given, { error: rule })
  if (result.success) return result.data
  const { issues } = result.error
  // A mistyped key explains better than what is missing in its place.
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]!
  const field = issue.path.map(String).join('.')
  if (issue.code === 'unrecognized_keys') throw new Error(`${operation}: ${field && `${field}: `}${issue.message}`)
  const value = issue.path.reduce<unknown>(
    (inner, key) => (inner as Record<PropertyKey, unknown> | null | undefined)?.[key],
    given,
  )
  const [first, ...remedy] = issue.message.split('; ')
  const rest = remedy.map((part) => `; ${part}`).join('')
  throw new Error(`${operation}: ${field || 'options'} ${first}, got ${show(value)}${rest}`)
}

/**
 * Something with methods, such as a policy or an engine: handed on as it is.
 * @param methods that it must have
 */
export const anObject = <T>(what = 'an object', methods: readonly (keyof T & string)[] = []): ZodType<T> =>
  z.custom<T>(
    (value) =>
      typeof value === 'object' &&
      value !== null &&
      methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function'),
    `must be ${what}`,
  )

/** A signal that stops work: handed on as it is. */
export const anAbortSignal = (): ZodType<AbortSignal> =>
  z.custom<AbortSignal>((value) => value instanceof AbortSignal, 'must be an AbortSignal')

/** A function: handed on as it is. */
export const aFunction = <T>(): ZodType<T> => z.custom<T>((value) => typeof value === 'function', 'must be a function')

function withoutUndefined(options: unknown): unknown {
  if (options === null || typeof options !== 'object' || Array.isArray(options)) return options
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

/** A rule of zod's as "must …". */
function rule(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${TYPES[isInteger(issue.inst) ? 'int' : issue.expected] ?? `of type ${issue.expected}`}`
    case 'too_small':
      return `must ${sized(issue.origin)}${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`
    case 'too_big':
      return `must ${sized(issue.origin)}${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}`
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(show).join(', ')}`
    case 'unrecognized_keys':
      return unknownKey(issue.keys[0]!, knownKeys(issue.inst))
    case 'invalid_union':
      return 'must have one of the forms that its documentation names'
    default:
      return undefined
  }
}

const TYPES: Record<string, string> = {
  int: 'an integer',
  number: 'a finite number',
  string: 'a text',
  boolean: 'true or false',
  object: 'an object',
  array: 'an array',
}

const sized = (origin: string): string => (origin === 'number' || origin === 'int' ? 'be ' : 'have a length of ')

const isInteger = (schema: unknown): boolean => schema instanceof z.ZodNumber && schema.isInt

function knownKeys(schema: unknown): string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
}

function unknownKey(key: string, known: string[]): string {
  const near = nearestName(key, known)
  return `there is no option ${key}; ${near === undefined ? `the options are ${known.join(', ')}` : `did you mean ${near}?`}`
}

/** The known name that a mistyped one probably stands for, if one is near enough. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const mistyped = name.toLowerCase()
  const nearest = known
    .map((other) => ({ other, distance: distance(mistyped, other.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  const [first] = nearest
  if (first && first.distance <= Math.max(2, name.length / 3)) return first.other
  // `minibatchSize` is too far from `minibatchTrajectories`, letter by letter.
  const beginning = mistyped.slice(0, Math.max(5, Math.ceil((2 * name.length) / 3)))
  return nearest.find(({ other }) => other.toLowerCase().startsWith(beginning))?.other
}

/** Levenshtein's: how many letters to add, drop or change. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}

function show(value: unknown): string {
  const text = inspect(value, { depth: 1, breakLength: Infinity, maxArrayLength: 5, maxStringLength: 60 })
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
