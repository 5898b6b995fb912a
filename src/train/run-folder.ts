import { mkdir, readdir, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toJson } from '../file/any-json.js'
import { readJsonl, writeJsonl } from '../file/jsonl.js'
import { linkTree } from '../file/link-tree.js'
import { writeFileWhole } from '../file/whole-file.js'
import { errorMessage } from '../file/write-error.js'
import { openFolder } from '../file/write-folder.js'
import type { FolderKind, FolderWriter } from '../file/write-folder.js'
import { baseOf, readAdapter } from '../model/adapter-folder.js'
import { readCheckpoint } from '../model/checkpoint.js'
import type { ModelConfig } from '../model/config.js'
import type { NamedTensor } from '../model/stored-tensors.js'
import { openSafetensors } from '../model/safetensors.js'
import { readWeightFile, writeWeightFile } from '../model/weight-file.js'
import { expectedShapes } from '../model/weight-names.js'
import { setWeight } from '../model/weights.js'
import type { Weights } from '../model/weights.js'
import type { LocalModel } from '../language-model/local-model.js'
import type { BestUpdate, RunSession } from '../schema/run-summary.js'
import { firstDifference } from './first-difference.js'
import type { Learner } from './learner.js'
import { modelWeights } from './loss-function.js'
import { FILES, LASTING, PREVIOUS, TRAINING, readRunFile, recordLineOf } from './run-file.js'
import type { RunFile, RunKind, RunModel } from './run-file.js'

/**
 * A training run on disk, enough to go on with it as if it had never stopped:
 * `policy/` is a model folder that transformers loads, or the folder of its adapter that PEFT loads, `updates.jsonl` (of a
 * fine-tuning `metrics.jsonl`) has the records, `run.json` what it is (`RunFile`), and one safetensors file each the rest of
 * its state (`reference`, `optimizer`). `best/` is the policy of the best update, where the run keeps it. `previous/` is the same of the save before.
 * `trajectories/` and `tensorboard/` (run-outputs.ts) are of the run, not of one save.
 */
export interface SavedRun<R extends object> {
  manifest: object
  records: R[]
  model: RunModel | undefined
  sessions: RunSession[]
  best: BestUpdate | undefined
  fault: string | undefined
}

/** Where a part of the learner's state is kept. */
export const stateFile = (folder: string, name: string): string => join(folder, `${name}.safetensors`)

const folderKind = (operation: string): FolderKind => ({
  operation: `${operation}: saveTo`,
  what: 'run',
  marker: FILES.run,
  owns: (name) => Object.values(FILES).includes(name) || name.endsWith('.safetensors'),
})

/**
 * Opens the folder of a run before it begins, for a run that cannot be saved is lost. No other process may write it until
 * it is closed.
 * @throws {Error} where it holds something else, or a run that is neither resumed nor to be overwritten; where it cannot
 * be written
 */
export const openRunFolder = (
  folder: string,
  { resume, overwrite }: { resume: boolean; overwrite: boolean },
  { operation }: Pick<RunKind<object>, 'operation'> = TRAINING,
): Promise<FolderWriter> =>
  openFolder(folder, folderKind(operation), { overwrite: resume || overwrite, keepPreviousAs: PREVIOUS })

/**
 * Writes the run; what was in the folder before stays whole, and then becomes its `previous`.
 * @param more `isFirst`: of a run that begins; what another run left in the folder does not become its own. `best`: the folder of the best policy; `policy` where it is the policy as it is now. `fill` adds what else is to be in the folder, before it takes its place.
 */
export async function saveRun<R extends object>(
  folder: FolderWriter,
  policy: LocalModel,
  learner: Pick<Learner, 'state'>,
  run: SavedRun<R>,
  kind: RunKind<R>,
  {
    best,
    fill,
    isFirst,
  }: { best?: string | undefined; fill?: (aside: string) => Promise<void>; isFirst?: boolean } = {},
): Promise<void> {
  const { weights, counters } = learner.state()
  await folder.write(async (aside) => {
    await policy.save(join(aside, FILES.policy))
    if (best !== undefined) await linkTree(best === FILES.policy ? join(aside, best) : best, join(aside, FILES.best))
    for (const [name, variables] of Object.entries(weights)) await writeWeightFile(stateFile(aside, name), variables)
    await writeJsonl(join(aside, kind.records), run.records.map(toJson))
    await writeFile(join(aside, FILES.run), runFileText(run, counters))
    // What a save does not have is carried over from the folder that it replaces.
    if (isFirst) for (const name of Object.values(LASTING)) await mkdir(join(aside, name))
    await fill?.(aside)
  })
  // Where there is something in it, it stays.
  if (isFirst) for (const name of Object.values(LASTING)) await rmdir(join(folder.folder, name)).catch(() => undefined)
}

/** Puts a saved run into a further folder as well: its files have second names there. */
export async function linkRun(from: string, to: string): Promise<void> {
  const state: string[] = [FILES.run, TRAINING.records, FILES.policy]
  const names = (await readdir(from)).filter((name) => state.includes(name) || name.endsWith('.safetensors'))
  for (const name of names) await linkTree(join(from, name), join(to, name))
}

/** Notes the error that ended a run which has been saved already. */
export async function noteFault(
  folder: FolderWriter,
  learner: Pick<Learner, 'state'>,
  run: SavedRun<object>,
): Promise<void> {
  await writeFileWhole(join(folder.folder, FILES.run), runFileText(run, learner.state().counters))
}

function runFileText(run: SavedRun<object>, counters: Record<string, number>): string {
  const { manifest, records, model, sessions, best, fault } = run
  const file: RunFile = {
    manifest: { ...manifest },
    counters,
    updates: records.length,
    ...(model && { model }),
    sessions,
    ...(best && { best }),
    ...(fault !== undefined && { fault }),
  }
  return `${JSON.stringify(file, null, 2)}\n`
}

/** A run that is gone on with. */
export interface ResumedRun<R extends object> extends Pick<SavedRun<R>, 'records' | 'model' | 'sessions' | 'best'> {
  /** The folder of its best policy. */
  bestFolder: string
}

/**
 * Reads a saved run into the policy and its learner. Where its newest save is damaged, this is said, and it is the one
 * before.
 * @param check Throws where a run of this manifest, with so many records, is not to be gone on with.
 * @throws {Error} where there is none, or `check` does; the policy is then as it was
 */
export async function resumeRun<R extends object>(
  folder: string,
  policy: LocalModel,
  learner: Resumable,
  check: (manifest: Readonly<Record<string, unknown>>, made: number) => void,
  kind: RunKind<R>,
): Promise<ResumedRun<R>> {
  const generation = await newestWhole(folder, policy, learner, kind)
  const { place, file, records } = generation
  check(file.manifest, records.length)
  await readWeights(generation, policy, learner, kind)
  const bestFolder = join(place, FILES.best)
  const { model, sessions } = file
  return { records, model, sessions, best: await wholeBest(bestFolder, file.best, policy), bestFolder }
}

/**
 * Sets the policy and its learner to a saved run of this same run.
 * @throws {Error} where it is damaged, or of another model
 */
export async function restoreRun(place: string, policy: LocalModel, learner: Learner): Promise<void> {
  await readWeights(await readGeneration(place, policy, learner, TRAINING), policy, learner, TRAINING)
}

async function readWeights<R extends object>(
  { place, saved }: Generation<R>,
  policy: LocalModel,
  learner: Resumable,
  kind: RunKind<R>,
): Promise<void> {
  const { trainable } = modelWeights(policy)
  checkModel(kind, place, saved, policy, trainable)
  for (const [name, variables] of Object.entries(learner.state().weights))
    await readWeightFile(stateFile(place, name), variables)
  for await (const { key, data } of saved.tensors()) await setWeight(trainable[key]!, data)
}

/** The best update, if its policy is there and whole. */
async function wholeBest(
  folder: string,
  best: BestUpdate | undefined,
  policy: LocalModel,
): Promise<BestUpdate | undefined> {
  if (!best) return undefined
  try {
    await readPolicy(TRAINING, folder, policy)
    return best
  } catch (error) {
    console.warn(
      `train: the best policy, of update ${best.update}, is damaged (${errorMessage(error)}); the best of the updates ` +
        'to come takes its place',
    )
    return undefined
  }
}

/** The settings that a saved run was made with. */
export const savedManifest = async (folder: string): Promise<Record<string, unknown>> =>
  (await runFileOf(TRAINING, folder)).manifest

/** The number of ids of a microbatch that a saved run was made with. */
export async function savedMicrobatchTokens(folder: string): Promise<number | undefined> {
  // What is damaged or absent is said by `resumeRun`.
  const read = (place: string): Promise<RunFile> => runFileOf(TRAINING, place)
  const file = await read(folder).catch(() => read(join(folder, PREVIOUS)).catch(() => undefined))
  const tokens = file?.manifest['microbatchTokens']
  return typeof tokens === 'number' ? tokens : undefined
}

type Resumable = Pick<Learner, 'state' | 'restore'>

interface Generation<R> {
  /** Its folder. */
  place: string
  file: RunFile
  records: R[]
  saved: SavedPolicy
}

/** The trained weights of the policy: its adapter's, where it has one. */
interface SavedPolicy {
  shapes: Readonly<Record<string, readonly number[]>>
  /** Of a whole model; an adapter's folder has none. */
  config?: ModelConfig
  tensors: () => AsyncIterable<NamedTensor>
}

async function newestWhole<R extends object>(
  folder: string,
  policy: LocalModel,
  learner: Resumable,
  kind: RunKind<R>,
): Promise<Generation<R>> {
  try {
    return await readGeneration(folder, policy, learner, kind)
  } catch (error) {
    const previous = await readGeneration(join(folder, PREVIOUS), policy, learner, kind).catch(() => undefined)
    if (!previous) throw error
    console.warn(
      `${kind.operation}: the newest save of the run in ${folder} is damaged (${errorMessage(error)}); ` +
        `the run goes on from the one before, after ${kind.unit} ${previous.file.updates}`,
    )
    return previous
  }
}

/** Reads all but the weights, whose files are checked: no value of a damaged save may reach policy or learner. */
async function readGeneration<R extends object>(
  place: string,
  policy: LocalModel,
  learner: Resumable,
  kind: RunKind<R>,
): Promise<Generation<R>> {
  const file = await runFileOf(kind, place)
  const path = join(place, kind.records)
  const records = await readJsonl(path, recordLineOf(kind.record), 'records')
  if (records.length !== file.updates) {
    throw new Error(
      `${kind.operation}: ${path} should have ${file.updates} records, as ${FILES.run} says, has ${records.length}`,
    )
  }
  await learner.restore(file.counters)
  for (const state of Object.keys(learner.state().weights))
    await (await openSafetensors(stateFile(place, state))).close()
  return { place, file, records, saved: await readPolicy(kind, join(place, FILES.policy), policy) }
}

type Named = Pick<RunKind<object>, 'operation'>

async function readPolicy({ operation }: Named, folder: string, { adapter, config }: LocalModel): Promise<SavedPolicy> {
  const isAdapter = (await baseOf(folder)) !== undefined
  if (isAdapter !== (adapter !== undefined)) {
    const [was, is] = isAdapter ? ['an adapter', 'has none'] : ['a whole model', 'has an adapter']
    throw new Error(
      `${operation}: ${folder} is ${was}, and the policy ${is}; resume with the model that the run began with`,
    )
  }
  if (adapter) return readAdapter(folder, config)
  const checkpoint = await readCheckpoint(folder)
  return { shapes: expectedShapes(checkpoint.config), config: checkpoint.config, tensors: checkpoint.tensors }
}

/** Shapes alone do not tell models apart: other heads or positions may have the same. */
function checkModel(
  { operation }: Named,
  folder: string,
  saved: SavedPolicy,
  { config }: LocalModel,
  weights: Weights,
): void {
  const other =
    firstDifference(saved.config ?? config, config) ??
    firstDifference(
      shapeTexts(Object.entries(saved.shapes)),
      shapeTexts(Object.entries(weights).map(([key, { shape }]) => [key, shape])),
    )
  if (!other) return
  const [was, is] = other.values.map((value) =>
    value === undefined ? 'none' : typeof value === 'string' ? value : JSON.stringify(value),
  )
  throw new Error(
    `${operation}: the run in ${folder} is of another model: its ${other.field} is ${was}, ` +
      `the policy's ${is}; resume with the model that it began with`,
  )
}

const shapeTexts = (shapes: readonly (readonly [string, readonly number[]])[]): Record<string, string> =>
  Object.fromEntries(shapes.map(([key, shape]) => [key, `[${shape.join(', ')}]`]))

async function runFileOf({ operation }: Named, folder: string): Promise<RunFile> {
  const file = await readRunFile(folder).catch((error: unknown) => {
    throw new Error(`${operation}: there is no run to resume in ${folder}; leave \`resume\` out to begin one`, {
      cause: error,
    })
  })
  if (file) return file
  throw new Error(
    `${operation}: ${join(folder, FILES.run)} is damaged, or of another version; \`overwrite: true\` instead of \`resume\` begins anew`,
  )
}
