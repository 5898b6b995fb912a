import { inspect } from 'node:util'

// Records that were read from a file may hold anything where a number belongs: it shows as it is.

const asIs = (value: unknown): string => (typeof value === 'string' ? value : inspect(value))

/** With a fixed number of decimals. */
export const decimals = (value: unknown, digits: number): string =>
  typeof value === 'number' ? value.toFixed(digits) : asIs(value)

/** With separators: 1,234. */
export const count = (value: unknown): string => (typeof value === 'number' ? value.toLocaleString('en') : asIs(value))

/** With the unit that fits: 1.6 M, 3.1 B. */
export const roughly = (value: number): string => withUnit(value, ['B', 'M', 'k'], '')

/** Bytes with the unit that fits: 6.6 MB. */
export const bytes = (value: number): string => withUnit(value, ['GB', 'MB', 'kB'], ' bytes')

/** @param units of a thousand millions, of a million, of a thousand; smaller numbers have `rest` */
function withUnit(value: number, units: readonly string[], rest: string): string {
  const power = units.findIndex((_, i) => value >= 1000 ** (3 - i))
  return power < 0 ? `${value}${rest}` : `${(value / 1000 ** (3 - power)).toPrecision(3)} ${units[power]}`
}

/** 23.4 s, 4 min 5 s, 2 h 10 min. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60
    ? `${minutes} min ${Math.floor(seconds % 60)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
