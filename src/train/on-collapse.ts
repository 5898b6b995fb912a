import { warningText } from '../schema/update-record.js'
import type { CollapseWarning, UpdateRecord } from '../schema/update-record.js'
import type { Learner } from './learner.js'
import { checkpointBefore, isCheckpoint, keepCheckpoint, rollbacks } from './rollback.js'
import { restoreRun } from './run-folder.js'
import type { CheckedOptions } from './train-options.js'
import { newWarnings } from './watch.js'

/** What a run does about signs of a collapse (`TrainOptions.onCollapse`). */
export interface CollapseResponse {
  /**
   * After each update: says what is new; may set policy and learner back, which the last record then says.
   * @returns why the run is to pause, if it is
   */
  afterUpdate(records: readonly UpdateRecord[]): Promise<string | undefined>
  /** Whether the run has to be saved now, as a checkpoint to go back to. */
  isDue(records: readonly UpdateRecord[]): boolean
  /** Adds such a checkpoint to what is being saved. */
  keep(aside: string, records: readonly UpdateRecord[]): Promise<void>
}

/** @param folder The run's; there is one where it may go back. */
export function collapseResponse(
  { onCollapse, maxRollbacks, policy }: CheckedOptions,
  folder: string | undefined,
  learner: Learner,
): CollapseResponse {
  const goesBack = onCollapse === 'rollback'

  async function goBack(
    records: readonly UpdateRecord[],
    seen: readonly CollapseWarning[],
  ): Promise<string | undefined> {
    if (rollbacks(records) >= maxRollbacks) return `it went back ${maxRollbacks} times already (maxRollbacks)`
    const since = Math.min(...seen.map((warning) => warning.since))
    const checkpoint = await checkpointBefore(folder!, since, records)
    if (!checkpoint) return `there is no checkpoint from before update ${since} to go back to`
    await restoreRun(checkpoint.place, policy, learner)
    records.at(-1)!.rolledBackTo = checkpoint.update
    console.warn(
      `train: policy and optimizer are again as they were after update ${checkpoint.update}; the run goes on at half the learning rate`,
    )
    return undefined
  }

  return {
    async afterUpdate(records) {
      const seen = newWarnings(records)
      if (seen.length === 0) return undefined
      const said = seen.map(warningText).join('; ')
      console.warn(`train: after update ${records.length}: ${said}`)
      if (onCollapse === 'warn') return undefined
      if (onCollapse === 'pause') return said
      const refused = await goBack(records, seen)
      return refused && `${said}; ${refused}`
    },
    isDue: (records) => goesBack && isCheckpoint(records),
    async keep(aside, records) {
      if (goesBack && isCheckpoint(records)) await keepCheckpoint(folder!, aside, records)
    },
  }
}
