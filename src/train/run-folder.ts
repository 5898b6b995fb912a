import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { fromJson, toJson } from '../file/any-json.js'
import type { Json } from '../file/any-json.js'
import { readJsonl, writeJsonl } from '../file/jsonl.js'
import { errorMessage } from '../file/write-error.js'
import { openFolder } from '../file/write-folder.js'
import type { FolderKind, FolderWriter } from '../file/write-folder.js'
import { baseOf, readAdapter } from '../model/adapter-folder.js'
import { readCheckpoint } from '../model/checkpoint.js'
import type { NamedTensor } from '../model/stored-tensors.js'
import { openSafetensors } from '../model/safetensors.js'
import { readWeightFile, writeWeightFile } from '../model/weight-file.js'
import { expectedShapes } from '../model/weight-names.js'
import { setWeight } from '../model/weights.js'
import type { Weights } from '../model/weights.js'
import type { LocalModel } from '../language-model/local-model.js'
import { updateRecordSchema } from '../schema/record-schemas.js'
import type { UpdateRecord } from '../schema/update-record.js'
import type { Learner } from './learner.js'
import { modelWeights } from './loss-function.js'

/**
 * A training run on disk, enough to go on with it as if it had never stopped:
 * `policy/` is a model folder that transformers loads, or the folder of its adapter that PEFT loads, `updates.jsonl` (of a
 * fine-tuning `metrics.jsonl`) has the records, `run.json` the manifest and the learner's counters, and one safetensors file
 * each the rest of its state (`reference`, `optimizer`). `previous/` is the same of the save before.
 */
export interface SavedRun<R> {
  manifest: object
  records: R[]
}

/** What runs of a kind have apart. */
export interface RunKind<R> {
  /** Begins messages. */
  operation: 'train' | 'finetune'
  /** What its records are of, in messages. */
  unit: 'update' | 'step'
  /** File of the records, one for each update or step made. */
  records: string
  record: z.ZodType<R>
}

interface RunFile {
  manifest: Record<string, unknown>
  counters: Record<string, number>
  /** Number of updates, or steps, made: as many lines have the records. */
  updates: number
}

const FILES = { run: 'run.json', updates: 'updates.jsonl', metrics: 'metrics.jsonl', policy: 'policy' }
const PREVIOUS = 'previous'

/** Runs of `train`. */
export const TRAINING: RunKind<UpdateRecord> = {
  operation: 'train',
  unit: 'update',
  records: FILES.updates,
  record: updateRecordSchema,
}

const stateFile = (folder: string, name: string): string => join(folder, `${name}.safetensors`)

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
  { operation }: Pick<RunKind<unknown>, 'operation'> = TRAINING,
): Promise<FolderWriter> =>
  openFolder(folder, folderKind(operation), { overwrite: resume || overwrite, keepPreviousAs: PREVIOUS })

/** Writes the run; what was in the folder before stays whole, and then becomes its `previous`. */
export async function saveRun<R extends object>(
  folder: FolderWriter,
  policy: LocalModel,
  learner: Pick<Learner, 'state'>,
  run: SavedRun<R>,
  kind: RunKind<R>,
): Promise<void> {
  const { manifest, records } = run
  const { weights, counters } = learner.state()
  await folder.write(async (aside) => {
    await policy.save(join(aside, FILES.policy))
    for (const [name, variables] of Object.entries(weights)) await writeWeightFile(stateFile(aside, name), variables)
    await writeJsonl(join(aside, kind.records), records.map(toJson))
    const file: RunFile = { manifest: { ...manifest }, counters, updates: records.length }
    await writeFile(join(aside, FILES.run), `${JSON.stringify(file, null, 2)}\n`)
  })
}

/**
 * Reads a saved run into the policy and its learner. Where its newest save is damaged, this is said, and it is the one
 * before.
 * @param check Throws where a run of this manifest, with so many records, is not to be gone on with.
 * @throws {Error} where there is none, or `check` does; the policy is then as it was
 */
export async function resumeRun<R>(
  folder: string,
  policy: LocalModel,
  learner: Resumable,
  check: (manifest: Readonly<Record<string, unknown>>, made: number) => void,
  kind: RunKind<R>,
): Promise<R[]> {
  const { place, file, records, saved } = await newestWhole(folder, policy, learner, kind)
  check(file.manifest, records.length)
  const { trainable } = modelWeights(policy)
  checkModel(kind, folder, saved, trainable)
  for (const [name, variables] of Object.entries(learner.state().weights))
    await readWeightFile(stateFile(place, name), variables)
  for await (const { key, data } of saved.tensors()) await setWeight(trainable[key]!, data)
  return records
}

/** The number of ids of a microbatch that a saved run was made with. */
export async function savedMicrobatchTokens(folder: string): Promise<number | undefined> {
  // What is damaged or absent is said by `resumeRun`.
  const read = (place: string): Promise<RunFile> => readRunFile(TRAINING, place)
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
  tensors: () => AsyncIterable<NamedTensor>
}

async function newestWhole<R>(
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
async function readGeneration<R>(
  place: string,
  policy: LocalModel,
  learner: Resumable,
  kind: RunKind<R>,
): Promise<Generation<R>> {
  const file = await readRunFile(kind, place)
  const path = join(place, kind.records)
  const line = z
    .unknown()
    .transform((json) => fromJson(json as Json))
    .pipe(kind.record)
  const records = await readJsonl(path, line, 'records')
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

async function readPolicy(
  { operation }: Pick<RunKind<unknown>, 'operation'>,
  folder: string,
  { adapter, config }: LocalModel,
): Promise<SavedPolicy> {
  const isAdapter = (await baseOf(folder)) !== undefined
  if (isAdapter !== (adapter !== undefined)) {
    const [was, is] = isAdapter ? ['an adapter', 'has none'] : ['a whole model', 'has an adapter']
    throw new Error(
      `${operation}: ${folder} is ${was}, and the policy ${is}; resume with the model that the run began with`,
    )
  }
  if (adapter) return readAdapter(folder, config)
  const checkpoint = await readCheckpoint(folder)
  return { shapes: expectedShapes(checkpoint.config), tensors: checkpoint.tensors }
}

function checkModel(
  { operation }: Pick<RunKind<unknown>, 'operation'>,
  folder: string,
  saved: SavedPolicy,
  weights: Weights,
): void {
  const shapes = Object.entries(saved.shapes)
  const other = shapes.find(([key, shape]) => weights[key]?.shape.join() !== shape.join())
  if (!other && shapes.length === Object.keys(weights).length) return
  const [key, shape] = other ?? shapes[0]!
  throw new Error(
    `${operation}: the run in ${folder} is of another model: its '${key}' is [${shape.join(', ')}], ` +
      `the policy's [${weights[key]?.shape.join(', ') ?? ''}]; resume with the model that it began with`,
  )
}

async function readRunFile({ operation }: Pick<RunKind<unknown>, 'operation'>, folder: string): Promise<RunFile> {
  const path = join(folder, FILES.run)
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new Error(`${operation}: there is no run to resume in ${folder}; leave \`resume\` out to begin one`, {
      cause: error,
    })
  })
  const result = runFileSchema.safeParse(jsonOf(text))
  if (result.success) return result.data
  throw new Error(
    `${operation}: ${path} is damaged, or of another version; \`overwrite: true\` instead of \`resume\` begins anew`,
  )
}

const runFileSchema: z.ZodType<RunFile> = z.object({
  manifest: z.record(z.string(), z.unknown()),
  counters: z.record(z.string(), z.number()),
  updates: z.int().min(1),
})

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
