import type { Bundle, ShowContext } from './bundle.js'

/**
 * How one kind of value is recognised and shown. Records are plain data, so their kind is told by their fields. An array
 * of them is a table with a row for each, unless `showMany` says otherwise; without both an array shows as Node prints it.
 */
export interface Shape<T = never> {
  /** What many of them are called: `questions`. */
  plural: string
  is: (value: unknown) => boolean
  show: (value: T, context: ShowContext) => Bundle | Promise<Bundle>
  row?: (value: T) => Record<string, unknown>
  showMany?: (values: T[], context: ShowContext) => Bundle
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null

type FieldType = 'string' | 'strings' | 'array' | 'object' | 'function' | 'present' | 'string or null'

const FIELD: Record<FieldType, (value: unknown) => boolean> = {
  string: (value) => typeof value === 'string',
  strings: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
  array: Array.isArray,
  object: isRecord,
  function: (value) => typeof value === 'function',
  // Numbers: records that were read from a file may hold anything there, and show it.
  present: (value) => value !== undefined,
  'string or null': (value) => value === null || typeof value === 'string',
}

/** Whether a value is an object with these fields. What only looks alike has to pass as it is. */
export function hasFields(value: unknown, fields: Record<string, FieldType>): value is Record<string, unknown> {
  return isRecord(value) && Object.entries(fields).every(([name, type]) => FIELD[type](value[name]))
}
