import type { ModelConfig } from '../model/config.js'

/** A sequence of which some tokens are trained on. */
export interface Sequence {
  ids: readonly number[]
  /** Places in `ids` that carry loss, in ascending order; never 0, for nothing predicts the first token. */
  trained: readonly number[]
}

/** Sequences that stand one after another in a row of a microbatch, and do not see each other. */
export interface Row {
  /** Their places among the sequences. */
  members: readonly number[]
  /** Number of ids that all of them begin with; these stand at the row's beginning, once, and all of them see them. */
  shared: number
  /** Ids of the row. */
  length: number
}

/** A row for each sequence. */
export const ownRows = (sequences: readonly Sequence[]): Row[] =>
  sequences.map(({ ids }, i) => ({ members: [i], shared: 0, length: ids.length }))

/** Rows none longer than the longest sequence: each sequence goes, the longest first, where least stays free. */
export function packedRows(sequences: readonly Sequence[]): Row[] {
  const order = sequences.map(({ ids }, i) => ({ i, length: ids.length })).sort((a, b) => b.length - a.length)
  const rows: { members: number[]; length: number }[] = []
  const capacity = order[0]?.length ?? 0
  for (const { i, length } of order) {
    let best: (typeof rows)[number] | undefined
    for (const row of rows) if (capacity - row.length >= length && row.length > (best?.length ?? -1)) best = row
    if (!best) rows.push((best = { members: [], length: 0 }))
    best.members.push(i)
    best.length += length
  }
  return rows.map((row) => ({ ...row, shared: 0 }))
}

/**
 * Rows of rollouts: those of one prompt stand behind it, so that it is computed once for all of them. A row is no longer
 * than pays, as attention looks at all of it, and than a microbatch of `tokens` ids. A model that sees only a window of ids
 * has a row for each.
 */
export function rolloutRows(sequences: readonly Sequence[], config: ModelConfig, tokens: number): Row[] {
  if (config.sliding) return ownRows(sequences)
  const groups = new Map<string, number[]>()
  sequences.forEach(({ ids, trained }, i) => {
    // What is before the first trained token is the prompt, which the other rollouts of its group have too.
    const prompt = ids.slice(0, trained[0] ?? ids.length).join()
    groups.set(prompt, [...(groups.get(prompt) ?? []), i])
  })
  return [...groups.values()].flatMap((members) => cheapest(sequences, members, config.hiddenSize, tokens))
}

/** The rows of a group that take the fewest operations: with all of it in one, each in its own, or something between. */
function cheapest(sequences: readonly Sequence[], members: readonly number[], hidden: number, tokens: number): Row[] {
  const lengthOf = (i: number): number => sequences[i]!.ids.length
  const shared = sequences[members[0]!]!.trained[0] ?? 0
  const sorted = [...members].sort((a, b) => lengthOf(b) - lengthOf(a))
  const rowOf = (some: readonly number[]): Row =>
    some.length === 1
      ? { members: some, shared: 0, length: lengthOf(some[0]!) }
      : { members: some, shared, length: some.reduce((sum, i) => sum + lengthOf(i) - shared, shared) }
  let best: { rows: Row[]; cost: number } | undefined
  for (let size = 1; size <= sorted.length; size++) {
    const rows = Array.from({ length: Math.ceil(sorted.length / size) }, (_, row) =>
      rowOf(sorted.slice(row * size, (row + 1) * size)),
    )
    if (size > 1 && rows.some(({ length }) => length > tokens)) break
    const cost = rows.reduce((sum, { length }) => sum + operations(length, hidden), 0)
    if (!best || cost < best.cost) best = { rows, cost }
  }
  return best!.rows
}

/** What a row costs in a layer, in units of 2 · hidden: products of 12 · hidden² values, and attention to half of the row. */
export const operations = (length: number, hidden: number): number => length * (12 * hidden + length)
