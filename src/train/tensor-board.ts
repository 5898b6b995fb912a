import { open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeEvent, eventFileStart } from '../file/event-file.js'
import { writeFileWhole } from '../file/whole-file.js'
import type { UpdateRecord } from '../schema/update-record.js'
import { LASTING } from './run-file.js'

/** Where a run keeps its event file for TensorBoard. */
export const TENSOR_BOARD = LASTING.tensorBoard

/** The event file of one process of a run. */
export interface TensorBoardLog {
  /** Writes the file whole into the folder of a run, with all records; files of earlier processes make way. */
  begin(run: string, records: readonly UpdateRecord[]): Promise<void>
  /** Adds records. Where that fails, the next call takes the place of what was written of them. */
  append(run: string, records: readonly UpdateRecord[]): Promise<void>
}

/**
 * The records of a run as TensorBoard's scalars. An event's wall time is that of the run's start and the seconds of its updates
 * up to there: it does not count the time in which the run stood still.
 * @param started When the run began.
 * @param now When this process began, milliseconds since 1970: a new file, for a TensorBoard that is open has read the old one.
 */
export function tensorBoardLog(started: Date, now: number): TensorBoardLog {
  const name = `events.out.tfevents.${now}.zerosearch`
  let [size, seconds] = [0, started.getTime() / 1000]
  const encode = (records: readonly UpdateRecord[], from: number): { data: Buffer; until: number } => {
    let until = from
    const events = records.map((record) => {
      until += record.rolloutSeconds + record.updateSeconds + record.compileSeconds
      return encodeEvent({ wallTime: until, step: record.update, scalars: scalarsOf(record) })
    })
    return { data: Buffer.concat(events), until }
  }
  return {
    async begin(run, records) {
      const began = started.getTime() / 1000
      const { data, until } = encode(records, began)
      const whole = Buffer.concat([eventFileStart(began), data])
      await writeFileWhole(join(run, TENSOR_BOARD, name), whole)
      for (const other of await readdir(join(run, TENSOR_BOARD)))
        if (other !== name && other.startsWith('events.out.tfevents.')) await rm(join(run, TENSOR_BOARD, other))
      size = whole.length
      seconds = until
    },
    async append(run, records) {
      const { data, until } = encode(records, seconds)
      const file = await open(join(run, TENSOR_BOARD, name), 'r+')
      try {
        for (let done = 0; done < data.length;)
          done += (await file.write(data, done, data.length - done, size + done)).bytesWritten
      } finally {
        await file.close()
      }
      size += data.length
      seconds = until
    },
  }
}

/** Every number of a record: `train/reward`, `reward/format`, `seconds/rollout`, `metrics/validationEm`. */
function scalarsOf({ update: _, metrics, measures, rewardParts, ...record }: UpdateRecord): Record<string, number> {
  const scalars: Record<string, number> = {}
  const add = (group: string, values: object | undefined): void => {
    for (const [name, value] of Object.entries(values ?? {}))
      if (typeof value === 'number') scalars[`${group}/${name}`] = value
  }
  const fields = Object.entries(record).map(([name, value]): [string, unknown] =>
    name.endsWith('Seconds') ? [`seconds/${name.slice(0, -'Seconds'.length)}`, value] : [`train/${name}`, value],
  )
  for (const [tag, value] of fields) if (typeof value === 'number') scalars[tag] = value
  add('train', measures)
  add('reward', rewardParts)
  add('metrics', metrics)
  return scalars
}
