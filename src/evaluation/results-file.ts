import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { readLines } from '../file/read-lines.js'
import { errorMessage } from '../file/write-error.js'
import { recoverFolder } from '../file/write-folder.js'
import type { ProcessSession } from '../host/process-session.js'
import { scoreSchema } from '../schema/record-schemas.js'
import type { Score } from '../schema/score.js'
import type { DescribedMethod } from './describe-method.js'

/** Names in the folder of an evaluation. */
export const FILES = {
  evaluation: 'evaluation.json',
  scores: 'scores.jsonl',
  table: 'scores.parquet',
  trajectories: 'trajectories.jsonl',
}

/** Of the folder's layout. */
export const VERSION = 1

/** What the scores of a folder depend on: none of it may differ where an evaluation goes on. */
export interface ResultsManifest {
  /** Version of this package. */
  zerosearch: string
  seed: number
  /** Whether trajectories are kept. */
  trajectories: boolean
  methods: Record<string, DescribedMethod>
}

/** One process that asked questions. */
export interface ResultsSession extends ProcessSession {
  /** Scores that were there before. */
  scoredBefore: number
  /** The questions that it was to ask, set by set, where they were known before. */
  questions?: { dataset: string; questions: number; content: string }[]
}

export type ResultsStatus = 'running' | 'done' | 'stopped' | 'failed'

/** `evaluation.json`. */
export interface ResultsFile {
  version: typeof VERSION
  manifest: ResultsManifest
  sessions: ResultsSession[]
  /** How the last session ended; `running` also where its process was killed. */
  status: ResultsStatus
  /** Message of the error that ended it. */
  fault?: string
}

/** A line of `scores.jsonl`. */
export interface SavedScore extends Score {
  /** Of the question's draws. */
  seed: number
  /** Tells whether the question is the same: of its words, gold answers and facts. */
  questionDigest: string
}

const describedSchema: z.ZodType<DescribedMethod> = z.looseObject({ settings: z.record(z.string(), z.unknown()) })

// A session says where scores come from, and decides nothing.
const sessions = z.array(z.custom<ResultsSession>((value) => typeof value === 'object' && value !== null))

const fileSchema: z.ZodType<ResultsFile> = z.object({
  version: z.literal(VERSION),
  manifest: z.object({
    zerosearch: z.string(),
    seed: z.int(),
    trajectories: z.boolean(),
    methods: z.record(z.string(), describedSchema),
  }),
  sessions,
  status: z.enum(['running', 'done', 'stopped', 'failed']),
  fault: z.string().exactOptional(),
})

const savedSchema: z.ZodType<SavedScore> = z.intersection(
  scoreSchema,
  z.object({ seed: z.int(), questionDigest: z.string() }),
)

/** @throws {Error} where there is none, it is damaged, or of another version */
export async function readResultsFile(operation: string, folder: string): Promise<ResultsFile> {
  const path = join(folder, FILES.evaluation)
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new Error(`${operation}: there are no results in ${folder} (${errorMessage(error)})`, { cause: error })
  })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    value = undefined
  }
  const version = (value as { version?: unknown } | undefined)?.version
  if (typeof version === 'number' && version !== VERSION) {
    throw new Error(
      `${operation}: the results in ${folder} are of version ${version}, this package reads ${VERSION}; ` +
        'take the package that wrote them, or `overwrite: true` begins anew',
    )
  }
  const result = fileSchema.safeParse(value)
  if (result.success) return result.data
  throw new Error(`${operation}: ${path} is damaged; \`overwrite: true\` instead of \`resume\` begins anew`)
}

/** What tells the scores of a folder apart. */
export const scoreKey = (method: string, dataset: string, questionId: string): string =>
  JSON.stringify([method, dataset, questionId])

/** Scores by `scoreKey`, of a question that was asked again the last one, and the number of lines that are damaged. */
export async function readSavedScores(folder: string): Promise<{ scores: Map<string, SavedScore>; damaged: number }> {
  const scores = new Map<string, SavedScore>()
  let damaged = 0
  for await (const { lines } of readLines(join(folder, FILES.scores), 'scores', undefined, true)) {
    for (const line of lines) {
      const score = savedScore(line)
      if (score) scores.set(scoreKey(score.method, score.dataset, score.questionId), score)
      else damaged++
    }
  }
  return { scores, damaged }
}

function savedScore(line: string): SavedScore | undefined {
  try {
    return savedSchema.safeParse(JSON.parse(line)).data
  } catch {
    return undefined
  }
}

/**
 * The scores that an evaluation with `saveTo` keeps; of one under way, or that was killed, those so far.
 * @param folder As `saveTo` named it.
 * @throws where there are none, or they are of another version
 * @example
 * await zs.display(zs.comparisonTable(await zs.readScores('results/first')))
 */
export async function readScores(folder: string): Promise<Score[]> {
  await recoverFolder(folder)
  await readResultsFile('read scores', folder)
  const { scores, damaged } = await readSavedScores(folder)
  if (damaged > 0)
    console.warn(`read scores: ${damaged} lines of ${join(folder, FILES.scores)} are damaged, and left out`)
  return [...scores.values()].map(({ seed: _, questionDigest: __, ...score }) => score)
}
