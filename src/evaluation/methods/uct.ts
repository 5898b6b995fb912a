/**
 * How promising a child is in a tree search: its mean value, and a bonus for what was seldom tried (UCT, Kocsis and
 * Szepesvári 2006). What was never tried comes first: infinity.
 */
export function uct(value: number, visits: number, parentVisits: number, weight: number): number {
  return visits === 0 ? Infinity : value + weight * Math.sqrt(Math.log(parentVisits) / visits)
}

/** The item that a function rates highest, the first of equals; undefined of none. */
export function best<T>(items: readonly T[], rate: (item: T) => number): T | undefined {
  let found: T | undefined
  let highest = -Infinity
  for (const item of items) {
    const rated = rate(item)
    if (found !== undefined && rated <= highest) continue
    found = item
    highest = rated
  }
  return found
}
