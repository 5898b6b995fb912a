import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { exists, placesOf } from '../file/folder-states.js'
import { streamJsonl } from '../file/jsonl.js'
import { isLocked } from '../file/lock.js'
import { realTarget } from '../file/real-path.js'
import { recoverFolder } from '../file/write-folder.js'
import { errorMessage, isMissing } from '../file/write-error.js'
import type { FinetuneRecord } from '../schema/finetune-record.js'
import type { RunSummary } from '../schema/run-summary.js'
import type { UpdateRecord } from '../schema/update-record.js'
import { hasLostPatience, lowestHeldOut } from './held-out-loss.js'
import { FILES, FINETUNING, PREVIOUS, TRAINING, isFinetuning, readRunFile, recordLineOf } from './run-file.js'
import type { RunFile, RunKind } from './run-file.js'

/** What a run's folder says of it; of a run under way, as it was last saved. */
export type ReadRun = { file: RunFile; seconds: number; isRunning: boolean } & (
  | {
      kind: 'train'
      /** None before the first update. */
      last: UpdateRecord | undefined
    }
  | { kind: 'finetune'; records: FinetuneRecord[] }
)

/** How often a run is read anew that was saved while it was read. */
const READS = 5

/**
 * @param operation Begins the errors.
 * @throws where there is no run, or its newest save is damaged
 */
export async function readRun(folder: string, operation: string): Promise<ReadRun> {
  for (let left = READS - 1; ; left--) {
    const before = await savedAt(folder)
    try {
      return await readOnce(folder, operation)
    } catch (error) {
      if (left === 0 || before === (await savedAt(folder))) throw error
    }
  }
}

const savedAt = (folder: string): Promise<number | undefined> =>
  stat(join(folder, FILES.run)).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  )

async function readOnce(folder: string, operation: string): Promise<ReadRun> {
  await recoverFolder(folder)
  const file = await readRunFile(folder).catch((error: unknown) => {
    throw new Error(`${operation}: there is no saved run in ${folder} (${errorMessage(error)})`, { cause: error })
  })
  if (!file) throw new Error(`${operation}: ${join(folder, FILES.run)} is damaged, or of another version`)
  let seconds = 0
  if (isFinetuning(file)) {
    const records: FinetuneRecord[] = []
    for await (const record of recordsOf(folder, file, FINETUNING, operation)) {
      records.push(record)
      seconds += record.seconds
    }
    return { kind: 'finetune', file, records, seconds, isRunning: await isWritten(folder) }
  }
  let last: UpdateRecord | undefined
  for await (const record of recordsOf(folder, file, TRAINING, operation)) {
    last = record
    seconds += record.rolloutSeconds + record.updateSeconds + record.compileSeconds
  }
  return { kind: 'train', file, last, seconds, isRunning: await isWritten(folder) }
}

/** @throws where there are more or fewer than the run says */
async function* recordsOf<R extends object>(
  folder: string,
  file: RunFile,
  { records, record: schema, unit }: RunKind<R>,
  operation: string,
): AsyncGenerator<R> {
  let count = 0
  for await (const record of streamJsonl(join(folder, records), recordLineOf(schema), `${unit}s`)) {
    count++
    yield record
  }
  if (count !== file.updates)
    throw new Error(`${operation}: ${join(folder, records)} should have ${file.updates} records, has ${count}`)
}

const isWritten = async (folder: string): Promise<boolean> => isLocked(placesOf(await realTarget(folder)).lock)

/** A run in one row. What is wrong with its folder stands in the row. */
export async function summarizeRun(folder: string): Promise<RunSummary> {
  try {
    return summaryOf(folder, await readRun(folder, 'list runs'))
  } catch (error) {
    const isRunning = await isWritten(folder).catch(() => false)
    // Before its first save, a run has no more than its lock.
    if (isRunning && !(await exists(join(folder, FILES.run))))
      return { ...NOTHING, folder, status: 'running', updates: 0 }
    const previous = await readRun(join(folder, PREVIOUS), '').then(
      ({ file }) => `; the save before it is whole: ${file.updates} updates`,
      () => '',
    )
    return { ...NOTHING, folder, status: 'damaged', fault: `${errorMessage(error)}${previous}` }
  }
}

const NOTHING: Omit<RunSummary, 'folder' | 'status'> = {
  kind: null,
  algorithm: null,
  model: null,
  updates: null,
  planned: null,
  reward: null,
  em: null,
  heldOutLoss: null,
  best: null,
  seconds: null,
  seed: null,
  started: null,
  fault: null,
}

function summaryOf(folder: string, run: ReadRun): RunSummary {
  const { file, isRunning, kind, seconds } = run
  const { algorithm, seed } = file.manifest
  const { planned, isDone, ...results } = run.kind === 'train' ? trainResults(run) : finetuneResults(run)
  return {
    ...NOTHING,
    folder,
    status: isRunning ? 'running' : file.fault !== undefined ? 'failed' : isDone ? 'done' : 'stopped',
    kind,
    algorithm: typeof algorithm === 'string' ? algorithm : null,
    model: file.model?.name ?? null,
    updates: file.updates,
    planned: planned ?? null,
    ...results,
    seconds,
    seed: typeof seed === 'number' ? seed : null,
    started: file.sessions[0]?.started ?? null,
    fault: file.fault ?? null,
  }
}

type Results = Partial<Pick<RunSummary, 'reward' | 'em' | 'heldOutLoss' | 'best'>> & {
  planned: number | undefined
  isDone: boolean
}

function trainResults({ file, last }: ReadRun & { kind: 'train' }): Results {
  const planned = numberOf(file.manifest['updates'])
  const isDone = planned !== undefined && file.updates >= planned
  return { planned, isDone, reward: last?.reward ?? null, em: last?.em ?? null, best: file.best ?? null }
}

function finetuneResults({ file, records }: ReadRun & { kind: 'finetune' }): Results {
  const [epochs, patience] = [numberOf(file.manifest['epochs']), numberOf(file.manifest['patience'])]
  const last = records.at(-1)
  const planned = last && epochs && Math.round((last.step * epochs) / last.epoch)
  const heldOut = records.findLast(({ heldOutLoss }) => heldOutLoss !== undefined)
  const best = patience === undefined ? undefined : lowestHeldOut(records)
  return {
    planned,
    isDone: (planned !== undefined && file.updates >= planned) || hasLostPatience(records, patience),
    heldOutLoss: heldOut?.heldOutLoss ?? null,
    best: best ? { metric: 'heldOutLoss', value: best.loss, update: best.step } : null,
  }
}

const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined)

/** Folders within folders that are looked through. */
const DEPTH = 4

/** Every run below a folder, whatever state it is in, in order of their names. */
export async function summarizeRuns(folder: string): Promise<RunSummary[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw new Error(`list runs: ${folder} must be a folder of runs (${errorMessage(error)})`, { cause: error })
  })
  const found = names.includes(FILES.run) ? [folder] : await runsBelow(folder, DEPTH)
  const summaries: RunSummary[] = []
  // One after the other: each opens files.
  for (const one of found) summaries.push(typeof one === 'string' ? await summarizeRun(one) : one)
  return summaries
}

async function runsBelow(folder: string, depth: number): Promise<(string | RunSummary)[]> {
  const found: (string | RunSummary)[] = []
  for (const name of await runNames(folder)) {
    const path = join(folder, name)
    try {
      // Not there: its writer is at work, or was killed.
      const inside = await readdir(path).catch((error: unknown) => {
        if (isMissing(error)) return [FILES.run]
        throw error
      })
      if (isRun(inside) || (await isWritten(path))) found.push(path)
      else if (depth > 1) found.push(...(await runsBelow(path, depth - 1)))
    } catch (error) {
      found.push({ ...NOTHING, folder: path, status: 'damaged', fault: errorMessage(error) })
    }
  }
  return found
}

/** Of a run one of its files may be lost; a model alone is none. */
const isRun = (names: readonly string[]): boolean =>
  [FILES.run, FILES.updates, PREVIOUS].some((name) => names.includes(name))

/** Folders, and those that are to be there: whose writer is at work, or was killed while it put them in their place. */
async function runNames(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name)
  const hidden = entries.map(({ name }) => /^\.(.+)\.(next|previous|lock)$/.exec(name)?.[1] ?? '')
  const present = await Promise.all(
    hidden.map(async (name) => name !== '' && ((await isLeft(folder, name)) || (await isWritten(join(folder, name))))),
  )
  return [...new Set([...names, ...hidden.filter((_, i) => present[i])])].sort()
}

const isLeft = async (folder: string, name: string): Promise<boolean> =>
  (await exists(join(folder, `.${name}.next`, FILES.run))) ||
  (await exists(join(folder, `.${name}.previous`, FILES.run)))

/** Short names of folders, each once: their last parts, or all of their path where two have the same. */
export function shortNames(folders: readonly string[]): string[] {
  const short = folders.map((folder) => basename(folder))
  return new Set(short).size === short.length ? short : [...folders]
}
