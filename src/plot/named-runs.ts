import { COLOURS } from './figure.js'

/** Several runs of one name: its seeds. */
export interface NamedRuns<T> {
  name: string
  seeds: T[]
}

/** Runs by their names; of several seeds a list. */
export type RunsByName<R> = Readonly<Record<string, R | readonly R[]>>

/**
 * @param isRun Tells a run from a list of them.
 * @throws where a name has no run
 */
export function namedRuns<R>(
  operation: string,
  runs: RunsByName<R>,
  isRun: (value: R | readonly R[]) => value is R,
): NamedRuns<R>[] {
  const named = Object.entries(runs).map(([name, given]) => ({ name, seeds: isRun(given) ? [given] : [...given] }))
  if (named.length === 0) throw new Error(`${operation}: there must be at least one run, got {}`)
  for (const { name, seeds } of named)
    if (seeds.length === 0 || !seeds.every((seed) => isRun(seed)))
      throw new Error(`${operation}: '${name}' must be a run, or a list of runs that are its seeds`)
  return named
}

const DASHES = ['solid', 'dash', 'dot', 'dashdot']

/** Line of a run among others: when the colours are used up, they come again in dashes. */
export const runLine = (place: number): { color: string; dash: string; width: number } => ({
  color: COLOURS[place % COLOURS.length]!,
  dash: DASHES[Math.floor(place / COLOURS.length) % DASHES.length]!,
  width: 2,
})

/** Pixels of the plotting area of a drawing without a browser, of a letter, and of what a legend has beside each name. */
const WIDTH = 830
const LETTER = 6.6
const BESIDE = 50
const LEGEND_ROW = 20
const TITLE = 40

/** A legend below the figure's title, and the margin at the top that both need. */
export function legendOnTop(
  names: readonly string[],
  { plotHeight, below }: { plotHeight: number; below: number },
): { top: number; layout: Record<string, unknown> } {
  // Plotly gives all names the width of the longest.
  const longest = names.reduce((length, name) => Math.max(length, name.length), 0)
  const inRow = Math.max(1, Math.floor(WIDTH / (longest * LETTER + BESIDE)))
  const top = TITLE + LEGEND_ROW * Math.ceil(names.length / inRow) + below
  const legend = { orientation: 'h', x: 0, y: 1 + below / plotHeight, yanchor: 'bottom', tracegroupgap: 0 }
  return { top, layout: { legend } }
}
