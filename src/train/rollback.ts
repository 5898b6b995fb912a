import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { linkTree } from '../file/link-tree.js'
import type { UpdateRecord } from '../schema/update-record.js'
import { LASTING } from './run-file.js'
import { linkRun } from './run-folder.js'
import { WINDOW, liveRecords } from './watch.js'

/** Folder in a run's own: `good/6` is the run as it was saved after update 6. */
const FOLDER = LASTING.good
/** Checkpoints that stay. */
const KEPT = 3

/** Whether the run as it is now is a checkpoint to go back to: its beginning, and every few updates, where nothing looks bad. */
export const isCheckpoint = (records: readonly UpdateRecord[]): boolean =>
  records.length % WINDOW === 0 && !records.at(-1)?.warnings

/**
 * Keeps a run that is being saved as a checkpoint, beside the last ones.
 * @param folder The run's, as it is.
 * @param aside As it will be.
 */
export async function keepCheckpoint(folder: string, aside: string, records: readonly UpdateRecord[]): Promise<void> {
  const earlier = (await checkpoints(folder, records)).filter((update) => update < records.length)
  for (const update of earlier.slice(0, KEPT - 1))
    await linkTree(join(folder, FOLDER, String(update)), join(aside, FOLDER, String(update)))
  await linkRun(aside, join(aside, FOLDER, String(records.length)))
}

/**
 * Where the newest checkpoint lies that is from before an update.
 * @returns undefined where there is none
 */
export async function checkpointBefore(
  folder: string,
  since: number,
  records: readonly UpdateRecord[],
): Promise<{ place: string; update: number } | undefined> {
  const update = (await checkpoints(folder, records)).find((one) => one < since)
  return update === undefined ? undefined : { place: join(folder, FOLDER, String(update)), update }
}

/** Newest first; those of updates that the run has taken back don't count. */
async function checkpoints(folder: string, records: readonly UpdateRecord[]): Promise<number[]> {
  const names = await readdir(join(folder, FOLDER)).catch(() => [])
  const live = new Set([0, ...liveRecords(records).map(({ update }) => update)])
  return names
    .map(Number)
    .filter((update) => live.has(update))
    .sort((a, b) => b - a)
}

/** What learning rates, the policy's and a critic's, are multiplied by: half for each time that the run went back. */
export const rollbackFactor = (records: readonly UpdateRecord[]): number => 0.5 ** rollbacks(records)

export const rollbacks = (records: readonly UpdateRecord[]): number =>
  records.filter(({ rolledBackTo }) => rolledBackTo !== undefined).length
