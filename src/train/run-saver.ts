import { errorMessage } from '../file/write-error.js'

/** When a run is saved: after so many minutes, at the end of the update under way, or after so many updates. */
export type SaveEvery =
  | {
      /** At least 0, where each update is saved. */
      minutes: number
    }
  | {
      /** At least 1. */
      updates: number
    }

/** Saves a run while it goes on, so that a process that is killed loses little of it, and at its end. */
export interface RunSaver {
  /**
   * To be called after each update; saves the run where it is time. Where it cannot, this is said once, the run goes on,
   * and it is tried again when it is time again.
   * @param updates Number of updates made.
   * @param now Saves it whether it is time or not. Default false.
   */
  afterUpdate(updates: number, now?: boolean): Promise<void>
  /**
   * Saves what has not been saved yet.
   * @param fault The error that ended the run, if one did: nothing is to hide it.
   * @param more True where there is more to save than updates.
   * @returns false where all was saved before
   * @throws {Error} where it cannot, saying where the run is then
   */
  atEnd(updates: number, fault?: unknown, more?: boolean): Promise<boolean>
}

/**
 * @param folder The run's, for messages.
 * @param saved Number of updates that are in it.
 * @param words Of the messages: what runs, and what its updates are called.
 */
export function createRunSaver(
  folder: string,
  every: SaveEvery,
  saved: number,
  save: () => Promise<void>,
  { operation, unit } = { operation: 'train', unit: 'update' },
): RunSaver {
  // Time and updates count from the last attempt, or a full disk would be tried after each update.
  let tried = { updates: saved, at: performance.now() }
  let warned = false

  async function write(updates: number): Promise<void> {
    try {
      await save()
      saved = updates
    } finally {
      tried = { updates, at: performance.now() }
    }
  }

  const there = (): string =>
    saved > 0
      ? `${folder} has the run as it was after ${unit} ${saved}`
      : `no ${unit} of it has been saved in ${folder}`

  return {
    async afterUpdate(updates, now = false) {
      const due =
        'updates' in every
          ? updates - tried.updates >= every.updates
          : performance.now() - tried.at >= every.minutes * 60_000
      if (!due && !now) return
      try {
        await write(updates)
      } catch (error) {
        if (warned) return
        warned = true
        console.warn(
          `${operation}: after ${unit} ${updates} the run could not be saved: ${errorMessage(error)}. ${there()}; ` +
            'training goes on, and saving is tried again. This is said once a run.',
        )
      }
    },
    async atEnd(updates, fault, more = false) {
      if (updates === saved && !more) return false
      try {
        await write(updates)
        return true
      } catch (error) {
        const before = fault === undefined ? 'the run' : `the run ended by an error (${errorMessage(fault)}), and it`
        throw new Error(
          `${operation}: ${before} could not be saved after its last ${unit}, ${updates}: ${errorMessage(error)}. ${there()}; ` +
            'the policy in memory has learned from all of them, `policy.save` keeps it',
          { cause: error },
        )
      }
    },
  }
}
