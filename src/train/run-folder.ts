import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readJsonl, writeJsonl } from '../file/jsonl.js'
import { openFolder } from '../file/write-folder.js'
import type { FolderKind, FolderWriter } from '../file/write-folder.js'
import { readCheckpoint } from '../model/checkpoint.js'
import { readWeightFile, writeWeightFile } from '../model/weight-file.js'
import { setWeight } from '../model/weights.js'
import type { LocalPolicy } from '../policy/local-policy.js'
import { updateRecordSchema } from '../schema/record-schemas.js'
import type { UpdateRecord } from '../schema/update-record.js'
import type { Grpo } from './grpo.js'

/**
 * A training run on disk, enough to go on with it as if it had never stopped:
 * `policy/` is a model folder that transformers loads, `updates.jsonl` has the records, `run.json` the settings,
 * `reference.safetensors` and `optimizer.safetensors` the rest of the state.
 */
export interface SavedRun {
  settings: RunSettings
  records: UpdateRecord[]
}

/** Options on which the course of a run depends. */
export type RunSettings = Record<string, unknown>

interface RunFile {
  settings: RunSettings
  optimizerSteps: number
}

const FILES = { run: 'run.json', records: 'updates.jsonl', policy: 'policy' }
const STATES = { reference: 'reference.safetensors', optimizer: 'optimizer.safetensors' }

const NAMES = new Set([...Object.values(FILES), ...Object.values(STATES)])
const KIND: FolderKind = {
  operation: 'train: saveTo',
  what: 'run',
  marker: FILES.run,
  owns: (name) => NAMES.has(name),
}

/**
 * Opens the folder of a run before it begins, for a run that cannot be saved is lost. No other process may write it until
 * it is closed.
 * @throws {Error} where it holds something else, or a run that is neither resumed nor to be overwritten; where it cannot
 * be written
 */
export const openRunFolder = (
  folder: string,
  { resume = false, overwrite = false }: { resume?: boolean; overwrite?: boolean },
): Promise<FolderWriter> => openFolder(folder, KIND, { overwrite: resume || overwrite })

/** Writes the run; what was in the folder before stays whole until the new one is complete. */
export async function saveRun(folder: FolderWriter, policy: LocalPolicy, grpo: Grpo, run: SavedRun): Promise<void> {
  const { settings, records } = run
  await folder.write(async (aside) => {
    await policy.save(join(aside, FILES.policy))
    await writeWeightFile(join(aside, STATES.reference), grpo.reference)
    await writeWeightFile(join(aside, STATES.optimizer), grpo.optimizer.moments)
    await writeJsonl(join(aside, FILES.records), records)
    const file: RunFile = { settings, optimizerSteps: grpo.optimizer.steps }
    await writeFile(join(aside, FILES.run), `${JSON.stringify(file, null, 2)}\n`)
  })
}

/**
 * Reads a saved run into the policy, its reference and its optimizer.
 * @throws {Error} where there is none, or its settings are not these
 */
export async function resumeRun(
  folder: string,
  policy: LocalPolicy,
  grpo: Grpo,
  settings: RunSettings,
): Promise<UpdateRecord[]> {
  const text = await readFile(join(folder, FILES.run), 'utf8').catch((error: unknown) => {
    throw new Error(`train: there is no run to resume in ${folder}; leave \`resume\` out to begin one`, {
      cause: error,
    })
  })
  const saved = JSON.parse(text) as RunFile
  for (const [name, value] of Object.entries(JSON.parse(JSON.stringify(settings)) as RunSettings)) {
    const was = JSON.stringify(saved.settings[name])
    if (was !== JSON.stringify(value)) {
      throw new Error(
        `train: a resumed run keeps its settings: ${name} is ${was} in ${folder}, got ${JSON.stringify(value)}; ` +
          'give the same, or `overwrite: true` instead of `resume` to begin anew',
      )
    }
  }
  await readWeightFile(join(folder, STATES.reference), grpo.reference)
  await readWeightFile(join(folder, STATES.optimizer), grpo.optimizer.moments)
  const { tensors } = await readCheckpoint(join(folder, FILES.policy))
  for await (const { key, data } of tensors()) await setWeight(policy.weights[key]!, data)
  grpo.optimizer.steps = saved.optimizerSteps
  return readJsonl(join(folder, FILES.records), updateRecordSchema, 'updates')
}
