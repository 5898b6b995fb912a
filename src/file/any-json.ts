import { inspect } from 'node:util'

/** What JSON can hold. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** The key that marks what JSON has no form for: `{ "$type": "number", "value": "NaN" }`. */
const TYPE = '$type'

/** Levels of nesting that are kept. */
const DEPTH = 100

/** Characters of a description. */
const LONGEST = 200

/**
 * Any value as JSON, for what users add to a record: nothing in it may stop the record from being saved. `fromJson` gives
 * it back.
 *
 * | value | comes back as |
 * |---|---|
 * | null, booleans, finite numbers, strings, arrays, plain objects | what it was |
 * | NaN, ±Infinity, −0, BigInt, undefined, Date, Map, Set | what it was |
 * | typed arrays | arrays of numbers |
 * | objects of a class | what their `toJSON` gives, or plain objects of their own fields |
 * | functions, symbols, circles, what throws when it is read, what is nested over 100 levels deep | a text that describes it |
 */
export function toJson(value: unknown): Json {
  return encode(value, [])
}

function encode(value: unknown, inside: readonly object[]): Json {
  try {
    if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
    if (typeof value === 'number') return encodeNumber(value)
    if (typeof value === 'bigint') return tagged('bigint', String(value))
    if (value === undefined) return tagged('undefined', '')
    if (typeof value === 'function' || typeof value === 'symbol') return describe(value)
    if (inside.includes(value)) return '[circular]'
    if (inside.length === DEPTH) return '[nested too deep]'
    return encodeObject(value, [...inside, value])
  } catch (error) {
    return `[cannot be read: ${describe(error)}]`
  }
}

function encodeNumber(value: number): Json {
  if (Object.is(value, -0)) return tagged('number', '-0')
  return Number.isFinite(value) ? value : tagged('number', String(value))
}

function encodeObject(value: object, inside: readonly object[]): Json {
  const list = (items: Iterable<unknown>): Json[] => Array.from(items, (item) => encode(item, inside))
  if (Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView)))
    return list(value as Iterable<unknown>)
  if (value instanceof Date) return tagged('date', encodeNumber(value.getTime()))
  if (value instanceof Map) return tagged('map', list(value))
  if (value instanceof Set) return tagged('set', list(value))
  if ('toJSON' in value && typeof value.toJSON === 'function')
    return encode((value as { toJSON(): unknown }).toJSON(), inside)
  const entries = Object.keys(value).map((key) => [key, encode(field(value, key), inside)] as const)
  const object = Object.fromEntries(entries)
  return Object.hasOwn(object, TYPE) ? tagged('object', object) : object
}

/** A getter that throws costs its own field alone. */
function field(value: object, key: string): unknown {
  try {
    return (value as Record<string, unknown>)[key]
  } catch (error) {
    return `[cannot be read: ${describe(error)}]`
  }
}

const tagged = (type: string, value: Json): Json => ({ [TYPE]: type, value })

/** Something of an error's, a function's or a symbol's own may throw, too. */
function describe(value: unknown): string {
  try {
    const text = value instanceof Error ? value.message : inspect(value, { depth: 0 })
    return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
  } catch {
    return typeof value
  }
}

/** What `toJson` was given. A mark that it cannot read stays as it is. */
export function fromJson(json: Json): unknown {
  if (json === null || typeof json !== 'object') return json
  if (Array.isArray(json)) return json.map(fromJson)
  const decode = Object.keys(json).join() === `${TYPE},value` ? DECODERS.get(json[TYPE]) : undefined
  if (!decode) return decodeFields(json)
  try {
    return decode(json['value']!)
  } catch {
    return decodeFields(json)
  }
}

const decodeFields = (json: Json): unknown =>
  Object.fromEntries(Object.entries(json as object).map(([key, value]) => [key, fromJson(value as Json)]))

const DECODERS = new Map<Json | undefined, (value: Json) => unknown>([
  ['number', Number],
  ['bigint', (value) => BigInt(value as string)],
  ['undefined', () => undefined],
  ['date', (value) => new Date(fromJson(value) as number)],
  ['map', (value) => new Map(fromJson(value) as [unknown, unknown][])],
  ['set', (value) => new Set(fromJson(value) as unknown[])],
  ['object', decodeFields],
])
