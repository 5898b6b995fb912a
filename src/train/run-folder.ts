import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { readCheckpoint } from '../model/checkpoint.js'
import { readWeightFile, writeWeightFile } from '../model/weight-file.js'
import { setWeight } from '../model/weights.js'
import { checkFolder, writeFolder } from '../model/write-folder.js'
import type { LocalPolicy } from '../policy/local-policy.js'
import { readJsonl, writeJsonl } from '../schema/jsonl.js'
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

/** Writes the run; what was in the folder before stays whole until the new one is complete. */
export async function saveRun(folder: string, policy: LocalPolicy, learner: Learner, run: SavedRun): Promise<void> {
  const { manifest, records } = run
  const { weights, counters } = learner.state()
  await writeFolder(folder, async (aside) => {
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
  policy: LocalPolicy,
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
  throw new Error(`train: ${path} holds no run that this version can go on with; leave \`resume\` out to begin one`)
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

/** To be called before the run, for a run that can't be saved is lost. */
export const checkRunFolder = (folder: string): Promise<void> => checkFolder(folder, 'run', FILES.run, 'train: saveTo')
