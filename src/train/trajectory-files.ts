import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeJsonl } from '../file/jsonl.js'
import { writeParquet } from '../file/parquet.js'
import type { ColumnType } from '../file/parquet.js'
import { openRecords } from '../file/read-records.js'
import { wellFormed } from '../file/well-formed.js'
import { isMissing } from '../file/write-error.js'
import { trajectorySchema } from '../schema/record-schemas.js'
import type { Trajectory } from '../schema/trajectory.js'
import type { Group } from './learner.js'
import { LASTING } from './run-file.js'

/** How a run keeps its trajectories. */
export type TrajectoryFormat = 'jsonl' | 'parquet'

/** A trajectory of a saved run. */
export interface SavedTrajectory extends Trajectory {
  /** Number of the update, from 1. */
  update: number
  /** Place in the update, from 0. */
  rollout: number
  /** What it was worth; null where it failed. */
  reward: number | null
}

/** Where a run keeps them: one file for each update, which appears whole. So an update that is made again has no second file. */
export const TRAJECTORIES = LASTING.trajectories

const fileOf = (run: string, update: number, format: TrajectoryFormat): string =>
  join(run, TRAJECTORIES, `${String(update).padStart(6, '0')}.${format}`)

const COLUMNS = {
  update: 'integer',
  rollout: 'integer',
  reward: 'number',
  questionId: 'text',
  dataset: 'text',
  domain: 'text',
  split: 'text',
  question: 'text',
  goldAnswers: 'texts',
  supportingFacts: 'texts',
  answer: 'text',
  stopReason: 'text',
  failure: 'json',
  searches: 'integer',
  seed: 'integer',
  turns: 'json',
  promptLength: 'integer',
  ids: 'integers',
  lossMask: 'integers',
  logprobs: 'numbers',
} satisfies Record<string, ColumnType>

/** The trajectories of an update as they are kept: copies, which nothing changes any more. */
export function savedTrajectories(
  update: number,
  trajectories: readonly Trajectory[],
  groups: readonly Group[],
): SavedTrajectory[] {
  const rewards = new Map(groups.flatMap((group) => group.trajectories.map((one, i) => [one, group.rewards[i]!])))
  return trajectories.map((trajectory, rollout) => {
    const { ids, lossMask, logprobs, ...rest } = trajectory
    return {
      update,
      rollout,
      reward: rewards.get(trajectory) ?? null,
      ...(JSON.parse(JSON.stringify(rest, wellFormed)) as typeof rest),
      ids: [...ids],
      lossMask: [...lossMask],
      logprobs: [...logprobs],
    }
  })
}

/** Writes the file of an update whole. `run` is the run's folder. */
export async function writeTrajectories(
  run: string,
  format: TrajectoryFormat,
  update: number,
  saved: readonly SavedTrajectory[],
): Promise<void> {
  const path = fileOf(run, update, format)
  if (format === 'parquet') return writeParquet(path, saved.map(toColumns), COLUMNS)
  // JSON has no number that is not finite.
  const finite = (value: number): number | null => (Number.isFinite(value) ? value : null)
  return writeJsonl(
    path,
    saved.map((one) => ({ ...one, reward: one.reward && finite(one.reward), logprobs: one.logprobs.map(finite) })),
  )
}

const toColumns = ({ question, ...rest }: SavedTrajectory): Record<string, unknown> => ({
  ...rest,
  ...question,
  questionId: question.id,
})

/** Deletes what lies behind the last update of a run: updates that were made, but not saved. */
export async function deleteTrajectoriesAfter(run: string, last: number): Promise<void> {
  for (const name of await trajectoryFiles(run)) {
    if (Number.parseInt(name, 10) > last) await rm(join(run, TRAJECTORIES, name), { force: true })
  }
}

const trajectoryFiles = async (run: string): Promise<string[]> => {
  const names = await readdir(join(run, TRAJECTORIES)).catch((error: unknown) => {
    if (isMissing(error)) return []
    throw error
  })
  return names.filter((name) => /^\d{6,}\.(jsonl|parquet)$/.test(name)).sort()
}

/** Path of the file that a run has for an update; undefined where it has none. */
export async function trajectoryFileOf(run: string, update: number): Promise<string | undefined> {
  const names = await trajectoryFiles(run)
  const name = names.find((one) => Number.parseInt(one, 10) === update)
  return name && join(run, TRAJECTORIES, name)
}

/**
 * The trajectories of one update of a run that was trained with `trajectories: 'jsonl'` or `'parquet'`.
 * @param run Folder of the run.
 * @param update Number of the update, from 1.
 * @returns all of the update, the failed ones included, question by question
 * @throws where the run has none of this update, or its file is damaged
 * @example
 * const [first] = await zs.readTrajectories('runs/first', 1)
 * await zs.display(first)
 */
export async function readTrajectories(run: string, update: number): Promise<SavedTrajectory[]> {
  const path = await trajectoryFileOf(run, update)
  if (path === undefined) {
    throw new Error(
      `read trajectories: ${run} has none of update ${update}; \`trajectories: 'jsonl'\` of \`train\` keeps those of a run`,
    )
  }
  const { format, records } = await openRecords(path, 'trajectories')
  const found: SavedTrajectory[] = []
  for await (const { place, value, fault } of records) {
    const result = savedSchema.safeParse(format === 'Parquet' ? fromColumns(value) : value)
    if (!result.success || fault !== undefined)
      throw new Error(`read trajectories: ${path}, ${place}: ${fault ?? result.error!.issues[0]!.message}`)
    found.push(result.data)
  }
  return found
}

const savedSchema = z
  .object({ update: z.int(), rollout: z.int(), reward: z.number().nullable() })
  .loose()
  .transform((row, context) => {
    const { update, rollout, reward } = row
    // What no JSON could hold.
    const logprobs = row['logprobs']
    const numbers = Array.isArray(logprobs) ? logprobs.map((value: unknown) => value ?? 0) : logprobs
    const result = trajectorySchema.safeParse({ ...row, logprobs: numbers })
    if (result.success) return { update, rollout, reward, ...result.data }
    const { path, message } = result.error.issues[0]!
    context.addIssue({ code: 'custom', message: `${path.map(String).join('.')} ${message}` })
    return z.NEVER
  })

/** A row of a Parquet file in the shape of a line of JSONL. */
function fromColumns(row: unknown): unknown {
  const present: Record<string, unknown> = Object.fromEntries(
    Object.entries(row as Record<string, unknown>).filter(([, value]) => value !== null),
  )
  const { questionId, dataset, domain, split, question, goldAnswers, supportingFacts, ...rest } = present
  const { turns, failure, answer = null, reward = null } = rest
  const parsed = (text: unknown): unknown => (typeof text === 'string' ? (JSON.parse(text) as unknown) : text)
  const asked = { id: questionId, dataset, domain, split, question, goldAnswers, supportingFacts }
  return {
    ...rest,
    answer,
    reward,
    turns: parsed(turns),
    ...(failure !== undefined && { failure: parsed(failure) }),
    question: Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined)),
  }
}
