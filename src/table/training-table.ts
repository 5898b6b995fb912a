import { table, type ColumnTable } from 'arquero'
import type { UpdateRecord } from '../schema/update-record.js'

/**
 * One row for each update, in order of `update`, with `UpdateRecord`'s fields as columns. A field that an
 * update lacks is null, as are means and the step's measures where all
 * rollouts failed. `failure` is the commonest cause, `warnings` the metrics that are warned of. Parts of the reward are `reward.<name>`; the algorithm's measures have
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
  const optional = (value: (row: UpdateRecord) => number | undefined): (number | null)[] =>
    rows.map((row) => (row.trajectories === 0 ? null : (value(row) ?? null)))
  const columns = {
    update: rows.map((row) => row.update),
    reward: measured((row) => row.reward),
    em: measured((row) => row.em),
    validationEm: rows.map((row) => shownMetric(row, 'validationEm')),
    noiseThreshold: rows.map((row) => row.noiseThreshold),
    searchesPerQuestion: measured((row) => row.searchesPerQuestion),
    validActions: optional((row) => row.validActions),
    searchFaults: rows.map((row) => row.searchFaults ?? null),
    kl: measured((row) => row.kl),
    loss: measured((row) => row.loss),
    entropy: rows.map((row) => row.entropy ?? null),
    correctLogprobMean: rows.map((row) => row.correctLogprobMean ?? null),
    correctLogprobLow: rows.map((row) => row.correctLogprobLow ?? null),
    incorrectLogprobMean: rows.map((row) => row.incorrectLogprobMean ?? null),
    incorrectLogprobLow: rows.map((row) => row.incorrectLogprobLow ?? null),
    clipFraction: measured((row) => row.clipFraction),
    samplingLogprobDifferenceMean: rows.map((row) => row.samplingLogprobDifferenceMean ?? null),
    samplingLogprobDifferenceMax: rows.map((row) => row.samplingLogprobDifferenceMax ?? null),
    gradNorm: measured((row) => row.gradNorm),
    learningRate: rows.map((row) => row.learningRate),
    trajectories: rows.map((row) => row.trajectories),
    failed: rows.map((row) => row.failed),
    failure: rows.map((row) => row.failures?.[0]?.message ?? null),
    skipped: rows.map((row) => row.skipped ?? null),
    groups: rows.map((row) => row.groups ?? null),
    samplingRounds: rows.map((row) => row.samplingRounds ?? null),
    zeroVarianceGroups: rows.map((row) => row.zeroVarianceGroups),
    zeroVarianceShare: rows.map((row) => row.zeroVarianceShare ?? null),
    answered: measured((row) => row.answered),
    tokensPerTrajectory: measured((row) => row.tokensPerTrajectory),
    policyTokensPerTrajectory: optional((row) => row.policyTokensPerTrajectory),
    observationTokensPerTrajectory: optional((row) => row.observationTokensPerTrajectory),
    rolloutSeconds: rows.map((row) => row.rolloutSeconds),
    searchSeconds: rows.map((row) => row.searchSeconds ?? null),
    rewardSeconds: rows.map((row) => row.rewardSeconds ?? null),
    updateSeconds: rows.map((row) => row.updateSeconds),
    compileSeconds: rows.map((row) => row.compileSeconds),
    tokensPerSecond: rows.map((row) => row.tokensPerSecond ?? null),
    residentBytes: rows.map((row) => row.residentBytes ?? null),
    warnings: rows.map((row) => row.warnings?.map(({ metric }) => metric).join(', ') ?? null),
    rolledBackTo: rows.map((row) => row.rolledBackTo ?? null),
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
