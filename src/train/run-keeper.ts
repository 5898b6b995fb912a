import type { FolderWriter } from '../file/write-folder.js'
import { errorMessage } from '../file/write-error.js'
import type { LocalModel } from '../language-model/local-model.js'
import { weightsDigest } from '../model/weights-digest.js'
import type { BestUpdate } from '../schema/run-summary.js'
import type { Trajectory } from '../schema/trajectory.js'
import type { UpdateRecord } from '../schema/update-record.js'
import type { Group, Learner } from './learner.js'
import { FILES, TRAINING } from './run-file.js'
import { noteFault, saveRun } from './run-folder.js'
import type { ResumedRun, SavedRun } from './run-folder.js'
import type { RunManifest } from './run-manifest.js'
import { openOutputs } from './run-outputs.js'
import { createRunSaver } from './run-saver.js'
import { runSession } from './run-session.js'
import { savedTrajectories } from './trajectory-files.js'
import type { CheckedOptions } from './train-options.js'
import { join } from 'node:path'

/** Keeps a run in its folder, update by update, until its end. */
export interface RunKeeper {
  /** To be called as soon as an update is learned from, before anybody else may change its trajectories. */
  played(update: number, trajectories: readonly Trajectory[], groups: readonly Group[]): void
  /**
   * To be called when the record of an update is complete. It throws nothing: what cannot be written is said.
   * @param now Saves the run whether it is time or not.
   */
  afterUpdate(now: boolean): Promise<void>
  /** Saves the run as it is, before its first update too. */
  save(): Promise<void>
  /**
   * Saves what has not been saved yet.
   * @param fault The error that ended the run, if one did.
   * @param more True where there is more to save than updates.
   * @throws {Error} where it cannot, saying where the run is then
   */
  atEnd(fault?: unknown, more?: boolean): Promise<void>
}

/**
 * @param parts `records` of the run: the caller adds to them. `whenSaved` adds what else is to be in the folder.
 * @param resumed What the folder had of it.
 */
export async function openRunKeeper(
  folder: FolderWriter,
  options: CheckedOptions,
  parts: {
    policy: LocalModel
    learner: Learner
    manifest: RunManifest
    records: UpdateRecord[]
    whenSaved: (aside: string) => Promise<void>
  },
  resumed: ResumedRun<UpdateRecord> | undefined,
): Promise<RunKeeper> {
  const { policy, learner, manifest, records, whenSaved } = parts
  const { keepBest } = options
  const session = await runSession(records.length)
  const run: SavedRun<UpdateRecord> = {
    manifest,
    records,
    model: resumed ? resumed.model : { name: policy.name, digest: await weightsDigest(policy) },
    sessions: [...(resumed?.sessions ?? []), session],
    best: resumed?.best,
    fault: undefined,
  }
  let bestFolder = resumed?.bestFolder ?? join(folder.folder, FILES.best)
  const outputs = await openOutputs(folder.folder, options, records, new Date(run.sessions[0]!.started))
  let isFirst = records.length === 0

  async function save(): Promise<void> {
    // A save has all that was written before it, so that a resumed run has no gaps.
    await outputs.write()
    const last = records.at(-1)
    const better = last && betterUpdate(last, keepBest, run.best)
    const next = { ...run, best: better ?? run.best }
    const from = better ? FILES.policy : run.best && bestFolder
    const fill = async (aside: string): Promise<void> => {
      if (isFirst) await outputs.fillFirst(aside, records)
      await whenSaved(aside)
    }
    await saveRun(folder, policy, learner, next, TRAINING, { best: from, fill, isFirst })
    run.best = next.best
    bestFolder = join(folder.folder, FILES.best)
    if (isFirst) outputs.began()
    isFirst = false
  }

  const saver = createRunSaver(folder.folder, options.saveEvery, records.length, save)
  let warned = false

  return {
    played(update, trajectories, groups) {
      if (options.trajectories) outputs.addTrajectories(update, savedTrajectories(update, trajectories, groups))
    },
    save,
    async afterUpdate(now) {
      outputs.addRecord(records.at(-1)!)
      try {
        await outputs.write()
      } catch (error) {
        if (!warned) {
          console.warn(
            `train: what update ${records.length} gave could not be written: ${errorMessage(error)}. It stays in memory, ` +
              'and is written when that is possible again. This is said once a run.',
          )
        }
        warned = true
      }
      const better = betterUpdate(records.at(-1)!, keepBest, run.best) !== undefined
      await saver.afterUpdate(records.length, now || outputs.waits || better)
    },
    async atEnd(fault, more = false) {
      if (fault !== undefined) run.fault = errorMessage(fault).slice(0, LONGEST_FAULT)
      const isSaved = await saver.atEnd(records.length, fault, more)
      if (!isSaved && fault !== undefined && records.length > 0)
        await noteFault(folder, learner, run).catch(() => undefined)
      if (keepBest !== undefined && !run.best && records.length > 0) {
        console.warn(
          `train: keepBest: no update had a finite number '${keepBest}', so no best policy was kept; onUpdate may return ` +
            `{ ${keepBest}: … }`,
        )
      }
    },
  }
}

/** Characters of an error's message in `run.json`. */
const LONGEST_FAULT = 1000

/** The update as the best, where it is better than that. */
function betterUpdate(
  { update, metrics, measures, ...record }: UpdateRecord,
  metric: string | undefined,
  best: BestUpdate | undefined,
): BestUpdate | undefined {
  if (metric === undefined) return undefined
  const value = [metrics, record as Record<string, unknown>, measures]
    .map((values) => (values && Object.hasOwn(values, metric) ? values[metric] : undefined))
    .find((one) => one !== undefined)
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined
  return !best || best.metric !== metric || value > best.value ? { metric, value, update } : undefined
}
