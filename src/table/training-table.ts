import { table, type ColumnTable } from 'arquero'
import type { UpdateRecord } from '../schema/update-record.js'

/**
 * One row for each update, in order of `update`, with `UpdateRecord`'s fields as columns. `entropy`, `skipped` and the
 * differences of log-probabilities hold null where an update has none, as do means and the step's measures where all
 * rollouts failed. `failure` is the commonest cause. Parts of the reward are `reward.<name>`; the algorithm's measures have
 * their own names. Metrics that are numbers, texts or booleans have a column each under their own name, `validationEm` in
 * any case;
 * those named as a field of the record are `metrics.<name>`.
 * @example
 * const table = zs.trainingTable(records)
 * await zs.display(zs.plot.trainingCurves(table))
 */
export function trainingTable(updates: readonly UpdateRecord[]): ColumnTable {
  const rows = [...updates].sort((a, b) => a.update - b.update)
  const measured = (value: (row: UpdateRecord) => number): (number | null)[] =>
    rows.map((row) => (row.trajectories === 0 ? null : value(row)))
  const columns = {
    update: rows.map((row) => row.update),
    reward: measured((row) => row.reward),
    em: measured((row) => row.em),
    validationEm: rows.map((row) => shownMetric(row, 'validationEm')),
    noiseThreshold: rows.map((row) => row.noiseThreshold),
    searchesPerQuestion: measured((row) => row.searchesPerQuestion),
    kl: measured((row) => row.kl),
    loss: measured((row) => row.loss),
    entropy: rows.map((row) => row.entropy ?? null),
    clipFraction: measured((row) => row.clipFraction),
    samplingLogprobDifferenceMean: rows.map((row) => row.samplingLogprobDifferenceMean ?? null),
    samplingLogprobDifferenceMax: rows.map((row) => row.samplingLogprobDifferenceMax ?? null),
    gradNorm: measured((row) => row.gradNorm),
    learningRate: rows.map((row) => row.learningRate),
    trajectories: rows.map((row) => row.trajectories),
    failed: rows.map((row) => row.failed),
    failure: rows.map((row) => row.failures?.[0]?.message ?? null),
    skipped: rows.map((row) => row.skipped ?? null),
    zeroVarianceGroups: rows.map((row) => row.zeroVarianceGroups),
    answered: measured((row) => row.answered),
    tokensPerTrajectory: measured((row) => row.tokensPerTrajectory),
    rolloutSeconds: rows.map((row) => row.rolloutSeconds),
    updateSeconds: rows.map((row) => row.updateSeconds),
    compileSeconds: rows.map((row) => row.compileSeconds),
  }
  const metrics: Record<string, Shown[]> = {}
  for (const part of new Set(rows.flatMap((row) => Object.keys(row.rewardParts ?? {})))) {
    metrics[`reward.${part}`] = rows.map((row) => row.rewardParts?.[part] ?? null)
  }
  for (const name of new Set(rows.flatMap((row) => Object.keys(row.measures ?? {})))) {
    metrics[name] = rows.map((row) => row.measures?.[name] ?? null)
  }
  for (const name of new Set(rows.flatMap((row) => Object.keys(row.metrics ?? {})))) {
    const values = rows.map((row) => shownMetric(row, name))
    // arquero has no column of this name.
    if (name === 'validationEm' || name === '__proto__' || values.every((value) => value === null)) continue
    metrics[Object.hasOwn(columns, name) || Object.hasOwn(metrics, name) ? `metrics.${name}` : name] = values
  }
  return table({ ...columns, ...metrics })
}

type Shown = number | string | boolean | null

/** A metric as a cell of the table; null where it is no single value. */
function shownMetric({ metrics }: UpdateRecord, name: string): Shown {
  const value = metrics && Object.hasOwn(metrics, name) ? metrics[name] : undefined
  if (typeof value === 'bigint') return Number(value)
  return typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean' ? value : null
}
