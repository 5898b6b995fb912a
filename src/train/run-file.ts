import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { fromJson } from '../file/any-json.js'
import type { Json } from '../file/any-json.js'
import { finetuneRecordSchema } from '../schema/finetune-record.js'
import type { FinetuneRecord } from '../schema/finetune-record.js'
import { updateRecordSchema } from '../schema/record-schemas.js'
import type { BestUpdate, RunSession } from '../schema/run-summary.js'
import type { UpdateRecord } from '../schema/update-record.js'

/** Names in the folder of a run. */
export const FILES = {
  run: 'run.json',
  updates: 'updates.jsonl',
  metrics: 'metrics.jsonl',
  policy: 'policy',
  best: 'best',
}

/** Folders in it that are of the run, and stay from one save to the next; those of a run that is overwritten do not. */
export const LASTING = { trajectories: 'trajectories', tensorBoard: 'tensorboard', good: 'good', replay: 'replay' }

/** The run as it was saved before, whole. */
export const PREVIOUS = 'previous'

/**
 * `run.json`. A reader of another version finds what it knows: it ignores further fields, and takes those that an earlier
 * version did not write as unknown.
 */
export interface RunFile {
  /** Settings and inputs (`RunManifest`), which decide the course of the run. */
  manifest: Record<string, unknown>
  /** The learner's. */
  counters: Record<string, number>
  /** Number of updates, or steps, made: as many lines have the records. */
  updates: number
  /** The policy that the run began with. */
  model?: RunModel
  /** The processes that worked on it, in order. */
  sessions: RunSession[]
  best?: BestUpdate
  /** Message of the error that ended it. */
  fault?: string
}

export interface RunModel {
  name: string
  /** Of its weights, an adapter's included, before the first update (`weightsDigest`). */
  digest: string
}

const sessionSchema: z.ZodType<RunSession> = z.object({
  started: z.string(),
  updatesBefore: z.int().min(0),
  zerosearch: z.string(),
  node: z.string(),
  tensorflow: z.string(),
  git: z.object({ commit: z.string(), dirty: z.boolean() }).exactOptional(),
  machine: z.object({
    platform: z.string(),
    arch: z.string(),
    cpu: z.string(),
    cores: z.number(),
    memoryBytes: z.number(),
  }),
})

const runFileSchema: z.ZodType<RunFile> = z.object({
  manifest: z.record(z.string(), z.unknown()),
  counters: z.record(z.string(), z.number()),
  updates: z.int().min(0),
  // What another version wrote in another way is no reason to lose a run.
  model: z
    .object({ name: z.string(), digest: z.string() })
    .exactOptional()
    .catch(undefined as never),
  sessions: z.array(sessionSchema).default([]).catch([]),
  best: z
    .object({ metric: z.string(), value: z.number(), update: z.int() })
    .exactOptional()
    .catch(undefined as never),
  fault: z
    .string()
    .exactOptional()
    .catch(undefined as never),
})

/**
 * @returns undefined where it is damaged, or no file of a run
 * @throws where it cannot be read
 */
export async function readRunFile(folder: string): Promise<RunFile | undefined> {
  const text = await readFile(join(folder, FILES.run), 'utf8')
  const result = runFileSchema.safeParse(jsonOf(text))
  return result.success ? result.data : undefined
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What runs of a kind have apart. */
export interface RunKind<R extends object> {
  /** Begins messages. */
  operation: 'train' | 'finetune'
  /** What its records are of, in messages. */
  unit: 'update' | 'step'
  /** File of the records, one for each update or step made. */
  records: string
  record: z.ZodType<R>
}

/** Runs of `train`. */
export const TRAINING: RunKind<UpdateRecord> = {
  operation: 'train',
  unit: 'update',
  records: FILES.updates,
  record: updateRecordSchema,
}

/** Runs of `finetune`. */
export const FINETUNING: RunKind<FinetuneRecord> = {
  operation: 'finetune',
  unit: 'step',
  records: FILES.metrics,
  record: finetuneRecordSchema,
}

/** Whether a run is one of `finetune`. */
export const isFinetuning = ({ manifest }: Pick<RunFile, 'manifest'>): boolean => manifest['algorithm'] === 'sft'

/** A line of a file of records. */
export const recordLineOf = <R extends object>(record: z.ZodType<R>): z.ZodType<R> =>
  z
    .unknown()
    .transform((line) => fromJson(line as Json))
    .pipe(record)
