import { z } from 'zod'

/** What is best in a column: its largest or its smallest value; by the columns' names, or for all of them. */
export type Best = 'max' | 'min' | Readonly<Record<string, 'max' | 'min'>>

const direction = z.enum(['max', 'min'])
export const bestSchema: z.ZodType<Best> = z.union([direction, z.record(z.string(), direction)])

interface BestOptions {
  best: Best
  /** The best of each value of this column. Undefined: of the whole table. */
  within: string | undefined
  /** Digits behind the point that are shown: what shows the same number is as good. */
  digits: number
}

type Columns = ReadonlyMap<string, readonly unknown[]>

/**
 * Which cells hold the best value of their column.
 * @param columns The values of each column, row by row.
 * @throws where a column that is named is not there
 */
export function bestCells(
  operation: string,
  columns: Columns,
  { best, within, digits }: BestOptions,
): (row: number, column: string) => boolean {
  if (within !== undefined) checkColumn(operation, within, columns)
  const wanted =
    typeof best === 'string' ? [...columns.keys()].map((name) => [name, best] as const) : Object.entries(best)
  const groups = within === undefined ? undefined : columns.get(within)
  const found = new Map<string, Set<number>>()
  for (const [name, direction] of wanted) {
    checkColumn(operation, name, columns)
    const shown = columns.get(name)!.map((value) => shownNumber(value, digits))
    const bests = new Map<unknown, number>()
    shown.forEach((value, row) => {
      const before = bests.get(groups?.[row])
      if (value !== undefined && (before === undefined || (direction === 'max' ? value > before : value < before)))
        bests.set(groups?.[row], value)
    })
    const rows = shown.flatMap((value, row) => (value !== undefined && value === bests.get(groups?.[row]) ? [row] : []))
    found.set(name, new Set(rows))
  }
  return (row, column) => found.get(column)?.has(row) ?? false
}

export function checkColumn(operation: string, name: string, columns: Columns): void {
  if (!columns.has(name))
    throw new Error(`${operation}: there is no column ${name}; the columns are ${[...columns.keys()].join(', ')}`)
}

/** A text that is a number counts as one: tables that are laid out hold such. */
function shownNumber(value: unknown, digits: number): number | undefined {
  if (typeof value === 'string') return /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : undefined
  return typeof value === 'number' && Number.isFinite(value) ? Number(value.toFixed(digits)) : undefined
}

/** Whether a column of texts goes to the right as numbers do: `42.4`, `38.1–46.8`, `+1.4`. */
export const looksNumeric = (values: readonly unknown[]): boolean =>
  values.some((value) => typeof value === 'string' && /\d/.test(value)) &&
  values.every(
    (value) => value === null || value === undefined || (typeof value === 'string' && LIKE_NUMBER.test(value)),
  )

const LIKE_NUMBER = /^[-+\u2212\u2013.,% \d]*$/
