import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { readJsonl, writeJsonl } from '../file/jsonl.js'
import { openFolder } from '../file/write-folder.js'
import type { FolderKind, FolderWriter } from '../file/write-folder.js'
import { readCheckpoint } from '../model/checkpoint.js'
import { readWeightFile, writeWeightFile } from '../model/weight-file.js'
import { setWeight } from '../model/weights.js'
import type { LocalModel } from '../language-model/local-model.js'
import { updateRecordSchema } from '../schema/record-schemas.js'
import type { UpdateRecord } from '../schema/update-record.js'
import type { Learner } from './learner.js'
import { checkResumable } from './run-manifest.js'
import type { RunManifest } from './run-manifest.js'

/**
 * A training run on disk, enough to go on with it as if it had never stopped:
 * `policy/` is a model folder that transformers loads, `updates.jsonl` has the records, `run.json` the manifest and the
 * learner's counters, and one safetensors file each the rest of its state (`reference`, `optimizer`).
 */
export interface SavedRun {
  manifest: RunManifest
  records: UpdateRecord[]
}

interface RunFile {
  manifest: Record<string, unknown>
  counters: Record<string, number>
}

const FILES = { run: 'run.json', records: 'updates.jsonl', policy: 'policy' }
const stateFile = (folder: string, name: string): string => join(folder, `${name}.safetensors`)

const KIND: FolderKind = {
  operation: 'train: saveTo',
  what: 'run',
  marker: FILES.run,
  owns: (name) => Object.values(FILES).includes(name) || name.endsWith('.safetensors'),
}

/**
 * Opens the folder of a run before it begins, for a run that cannot be saved is lost. No other process may write it until
 * it is closed.
 * @throws {Error} where it holds something else, or a run that is neither resumed nor to be overwritten; where it cannot
 * be written
 */
export const openRunFolder = (
  folder: string,
  { resume, overwrite }: { resume: boolean; overwrite: boolean },
): Promise<FolderWriter> => openFolder(folder, KIND, { overwrite: resume || overwrite })

/** Writes the run; what was in the folder before stays whole until the new one is complete. */
export async function saveRun(
  folder: FolderWriter,
  policy: LocalModel,
  learner: Learner,
  run: SavedRun,
): Promise<void> {
  const { manifest, records } = run
  const { weights, counters } = learner.state()
  await folder.write(async (aside) => {
    await policy.save(join(aside, FILES.policy))
    for (const [name, variables] of Object.entries(weights)) await writeWeightFile(stateFile(aside, name), variables)
    await writeJsonl(join(aside, FILES.records), records)
    const file: RunFile = { manifest: { ...manifest }, counters }
    await writeFile(join(aside, FILES.run), `${JSON.stringify(file, null, 2)}\n`)
  })
}

/**
 * Reads a saved run into the policy and its learner.
 * @param allowed What may differ from the saved manifest.
 * @throws {Error} where there is none, or its manifest is not this; policy and learner are then as they were
 */
export async function resumeRun(
  folder: string,
  policy: LocalModel,
  learner: Learner,
  manifest: RunManifest,
  allowed: readonly (keyof RunManifest)[],
): Promise<UpdateRecord[]> {
  const saved = await readRunFile(folder)
  const records = await readJsonl(join(folder, FILES.records), updateRecordSchema, 'updates')
  checkResumable(folder, saved.manifest, manifest, allowed, records.length)
  for (const [name, variables] of Object.entries(learner.state().weights))
    await readWeightFile(stateFile(folder, name), variables)
  const { tensors } = await readCheckpoint(join(folder, FILES.policy))
  for await (const { key, data } of tensors()) await setWeight(policy.weights[key]!, data)
  learner.restore(saved.counters)
  return records
}

async function readRunFile(folder: string): Promise<RunFile> {
  const path = join(folder, FILES.run)
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new Error(`train: there is no run to resume in ${folder}; leave \`resume\` out to begin one`, {
      cause: error,
    })
  })
  const result = runFileSchema.safeParse(jsonOf(text))
  if (result.success) return result.data
  throw new Error(
    `train: ${path} holds no run that this version can go on with; \`overwrite: true\` instead of \`resume\` begins anew`,
  )
}

const runFileSchema: z.ZodType<RunFile> = z.object({
  manifest: z.record(z.string(), z.unknown()),
  counters: z.record(z.string(), z.number()),
})

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
