import { inspect } from 'node:util'

// Records that were read from a file may hold anything where a number belongs: it shows as it is.

const asIs = (value: unknown): string => (typeof value === 'string' ? value : inspect(value))

/** With a fixed number of decimals. */
export const decimals = (value: unknown, digits: number): string =>
  typeof value === 'number' ? value.toFixed(digits) : asIs(value)

/** With separators: 1,234. */
export const count = (value: unknown): string => (typeof value === 'number' ? value.toLocaleString('en') : asIs(value))

/** With the unit that fits: 1.6 M, 3.1 B. */
export function roughly(value: number): string {
  for (const [size, unit] of [
    [1e9, 'B'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const)
    if (value >= size) return `${(value / size).toPrecision(3)} ${unit}`
  return String(value)
}

/** Bytes with the unit that fits: 6.6 MB. */
export function bytes(value: number): string {
  for (const [size, unit] of [
    [1e9, 'GB'],
    [1e6, 'MB'],
    [1e3, 'kB'],
  ] as const)
    if (value >= size) return `${(value / size).toPrecision(3)} ${unit}`
  return `${value} bytes`
}

/** 23.4 s, 4 min 5 s, 2 h 10 min. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60
    ? `${minutes} min ${Math.floor(seconds % 60)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
