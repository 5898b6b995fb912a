import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { exists } from '../file/folder-states.js'
import type { UpdateRecord } from '../schema/update-record.js'
import { TENSOR_BOARD, tensorBoardLog } from './tensor-board.js'
import { TRAJECTORIES, deleteTrajectoriesAfter, writeTrajectories } from './trajectory-files.js'
import type { SavedTrajectory, TrajectoryFormat } from './trajectory-files.js'

/** What a run writes update by update, beside its saves: trajectories, and events for TensorBoard. */
export interface RunOutputs {
  /** True while there is something that waits for the first save. */
  readonly waits: boolean
  /** Takes on what an update gave; `write` writes it. */
  addTrajectories(update: number, saved: readonly SavedTrajectory[]): void
  addRecord(record: UpdateRecord): void
  /**
   * Writes what was added into the folder of the run. Before its first save there is none, and this does nothing. What cannot
   * be written stays to be written by the next call.
   */
  write(): Promise<void>
  /** Prepares the folder of the first save; all records are written. Once it is in its place, `began` is to be called. */
  fillFirst(aside: string, records: readonly UpdateRecord[]): Promise<void>
  began(): void
}

export interface OutputOptions {
  trajectories?: TrajectoryFormat
  tensorBoard: boolean
}

/**
 * @param run The folder of the run.
 * @param records Those of a resumed run: what was written of later updates, which were not saved, is taken back.
 * @param started When the run began.
 */
export async function openOutputs(
  run: string,
  { trajectories: format, tensorBoard }: OutputOptions,
  records: readonly UpdateRecord[],
  started: Date,
): Promise<RunOutputs> {
  const events = tensorBoardLog(started, Date.now())
  let hasFolder = records.length > 0
  let trajectories: { update: number; saved: readonly SavedTrajectory[] }[] = []
  let added: UpdateRecord[] = []
  if (hasFolder) {
    await deleteTrajectoriesAfter(run, records.length)
    if (format) await mkdir(join(run, TRAJECTORIES), { recursive: true })
    if (tensorBoard) await mkdir(join(run, TENSOR_BOARD), { recursive: true })
    // Also where no more is added: it must not show updates that were taken back.
    if (await exists(join(run, TENSOR_BOARD))) await events.begin(run, records)
  }
  const writeAll = async (place: string): Promise<void> => {
    for (const { update, saved } of trajectories) await writeTrajectories(place, format!, update, saved)
  }
  return {
    get waits() {
      return !hasFolder && (format !== undefined || tensorBoard)
    },
    addTrajectories(update, saved) {
      if (format) trajectories.push({ update, saved })
    },
    addRecord(record) {
      if (tensorBoard && hasFolder) added.push(record)
    },
    async write() {
      if (!hasFolder) return
      await writeAll(run)
      trajectories = []
      if (added.length > 0) await events.append(run, added)
      added = []
    },
    async fillFirst(aside, all) {
      await writeAll(aside)
      if (tensorBoard) await events.begin(aside, all)
    },
    began() {
      hasFolder = true
      trajectories = []
    },
  }
}
