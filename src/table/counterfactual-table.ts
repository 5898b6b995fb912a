import { table, type ColumnTable } from 'arquero'
import type { Counterfactual, Fate } from '../schema/counterfactual.js'

/** What can become of an answer, in the order in which tables and figures show it. */
export const FATES = ['kept', 'changed', 'lost', 'gained', 'none', 'failed'] as const satisfies readonly Fate[]

/**
 * One row for each kind of documents: number of replays, how many of each fate, and exact match before and after. A fate that never
 * occurred has a column of zeros. Failed replays count as wrong after.
 * @example
 * const replays = await zs.replayTrajectories(policy, [trajectory], { searchEngine: simulator })
 * await zs.display(zs.counterfactualTable(replays))
 */
export function counterfactualTable(replays: readonly Counterfactual[]): ColumnTable {
  const kinds = [...new Set(replays.map(({ documents }) => documents))]
  const groups = kinds.map((kind) => replays.filter(({ documents }) => documents === kind))
  const mean = (read: (replay: Counterfactual) => number): number[] =>
    groups.map((group) => group.reduce((sum, replay) => sum + read(replay), 0) / group.length)
  return table({
    documents: kinds,
    n: groups.map((group) => group.length),
    ...Object.fromEntries(
      FATES.map((fate) => [fate, groups.map((group) => group.filter((replay) => replay.fate === fate).length)]),
    ),
    emBefore: mean(({ emBefore }) => emBefore),
    emAfter: mean(({ emAfter }) => emAfter),
  })
}
