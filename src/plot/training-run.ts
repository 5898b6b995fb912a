import type { ColumnTable } from 'arquero'
import type { UpdateRecord } from '../schema/update-record.js'
import { trainingTable } from '../table/training-table.js'

/** A training run: its records, their table, or both with the manifest that a run's folder has. */
export type TrainingRun =
  ColumnTable | readonly UpdateRecord[] | { records: readonly UpdateRecord[]; manifest?: { reward?: unknown } }

/** A run as it is plotted. */
export interface PlottedRun {
  table: ColumnTable
  reward: string | undefined
}

export function isRun(value: unknown): value is TrainingRun {
  if (typeof value !== 'object' || value === null) return false
  if ('columnNames' in value) return typeof value.columnNames === 'function'
  if (Array.isArray(value)) return value.every(isUpdate)
  // Of runs by name, one may have the name `records`.
  const keys = Object.keys(value)
  const isAlone = keys.length === 1 || 'manifest' in value
  return isAlone && 'records' in value && Array.isArray(value.records) && value.records.every(isUpdate)
}

const isUpdate = (value: unknown): boolean => typeof value === 'object' && value !== null && 'update' in value

export function plottedRun(run: TrainingRun): PlottedRun {
  if ('columnNames' in run) return { table: run, reward: undefined }
  const records = 'records' in run ? run.records : run
  const reward = 'records' in run ? savedName(run.manifest?.reward) : undefined
  const parts = Object.keys(records.find(({ rewardParts }) => rewardParts)?.rewardParts ?? {})
  return { table: trainingTable(records), reward: reward ?? (parts.length > 0 ? parts.join(' + ') : undefined) }
}

/** A manifest has `F1`, weights as JSON, or a function's name and the sum of its source. */
function savedName(reward: unknown): string | undefined {
  if (typeof reward !== 'string') return undefined
  if (!reward.startsWith('{')) return reward.replace(/, source \w+$/, '')
  return Object.keys(JSON.parse(reward) as object).join(' + ')
}

/** The axis of updates: there is nothing between one and the next, and nothing before the first and after the last. */
export function updateAxis(updates: readonly number[]): Record<string, unknown> {
  const first = updates.reduce((a, b) => Math.min(a, b), Infinity)
  const last = updates.reduce((a, b) => Math.max(a, b), -Infinity)
  // A lone update has space at its sides.
  if (last <= first || updates.length === 0) return { dtick: 1 }
  return { tick0: first, dtick: Math.ceil((last - first + 1) / 8), range: [first, last] }
}

export const isWithin = (range: readonly number[] | undefined, values: readonly (number | null)[]): boolean =>
  range !== undefined && values.every((value) => value === null || (value >= range[0]! && value <= range[1]!))

/** A run that diverged has a gap there, as has what was not measured. */
export const plotted = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null
