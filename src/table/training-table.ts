import { table, type ColumnTable } from 'arquero'
import type { UpdateRecord } from '../schema/update-record.js'

/**
 * One row for each update, in order of `update`, with `UpdateRecord`'s fields as columns. `entropy` and
 * `validationEm` hold null where an update has none.
 */
export function trainingTable(updates: readonly UpdateRecord[]): ColumnTable {
  const rows = [...updates].sort((a, b) => a.update - b.update)
  return table({
    update: rows.map((row) => row.update),
    reward: rows.map((row) => row.reward),
    em: rows.map((row) => row.em),
    validationEm: rows.map((row) => row.validationEm ?? null),
    noiseThreshold: rows.map((row) => row.noiseThreshold),
    searchesPerQuestion: rows.map((row) => row.searchesPerQuestion),
    kl: rows.map((row) => row.kl),
    loss: rows.map((row) => row.loss),
    entropy: rows.map((row) => row.entropy ?? null),
    clipFraction: rows.map((row) => row.clipFraction),
    gradNorm: rows.map((row) => row.gradNorm),
    learningRate: rows.map((row) => row.learningRate),
    zeroVarianceGroups: rows.map((row) => row.zeroVarianceGroups),
    answered: rows.map((row) => row.answered),
    tokensPerTrajectory: rows.map((row) => row.tokensPerTrajectory),
    rolloutSeconds: rows.map((row) => row.rolloutSeconds),
    updateSeconds: rows.map((row) => row.updateSeconds),
  })
}
