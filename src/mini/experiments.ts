import { fileURLToPath } from 'node:url'
import { table, type ColumnTable } from 'arquero'
import { z } from 'zod'
import { readJsonl } from '../file/jsonl.js'
import { updateRecordSchema } from '../schema/record-schemas.js'
import type { UpdateRecord } from '../schema/update-record.js'
import { bootstrapDifference } from '../statistics/bootstrap.js'
import { wilsonInterval } from '../statistics/wilson-interval.js'

/** What a policy reached on the test questions in domain, with greedy answers: means over them. */
export interface ExperimentFigures {
  /** Exact match, with BM25 over the test documents, as all that follows but for the last two. */
  em: number
  /** Of `mini-nq`. */
  emOneHop: number
  /** Of `mini-hotpotqa`. */
  emTwoHops: number
  /** Share of answers that contain a gold answer. */
  coverEm: number
  /** Bag-of-words F1. */
  f1: number
  /** Words of an answer. */
  answerWords: number
  /** Share of questions that got an answer. */
  answered: number
  /** Searches of a question. */
  searches: number
  /** Exact match with the simulator, noise in half of the searches; of the first 60 questions of each set. */
  emAtNoise50: number
  /** Searches then. */
  searchesAtNoise50: number
  /** 1 or 0 for each question, in the order of the sets: for comparisons of two runs on the same questions. */
  right: string
}

/** One run of an experiment on the mini world (`npm run mini:experiment`). */
export interface Experiment {
  /** What was changed, by its name in `data/mini/build/arms.ts`. */
  arm: string
  /** Of the run. */
  seed: number
  /** Those of the training, with reward, protocol and adapter. */
  settings: Record<string, unknown> & { protocol: string }
  /** Wall time of the training, seconds, without what its curve took; the machine was shared. */
  trainingSeconds: number
  /** The same in processor time, over all cores. */
  trainingCpuSeconds: number
  /** Before training. */
  before: ExperimentFigures
  /** After it. */
  after: ExperimentFigures
  /** Its record of each update, with `validationEm` in some. */
  updates: UpdateRecord[]
}

const share = z.number().min(0).max(1)
const count = z.number().min(0)

const figuresSchema: z.ZodType<ExperimentFigures> = z.object({
  em: share,
  emOneHop: share,
  emTwoHops: share,
  coverEm: share,
  f1: share,
  answerWords: count,
  answered: share,
  searches: count,
  emAtNoise50: share,
  searchesAtNoise50: count,
  right: z.string().regex(/^[01]+$/),
})

const experimentSchema: z.ZodType<Experiment> = z.object({
  arm: z.string(),
  seed: z.int(),
  settings: z.looseObject({ protocol: z.string() }),
  trainingSeconds: count,
  trainingCpuSeconds: count,
  before: figuresSchema,
  after: figuresSchema,
  updates: z.array(updateRecordSchema),
})

/** The file of all experiments. */
export const EXPERIMENTS_FILE = fileURLToPath(new URL('../../data/mini/experiments.jsonl', import.meta.url))
/** Questions of each set that were asked with noise. */
export const NOISE_QUESTIONS = 60

/**
 * The experiments that were made on the mini world, in the order in which they were made.
 * @param arms Those of these arms, in this order. Default: all.
 * @throws where there is none of an arm
 * @example
 * const [first] = await zs.mini.experiments('grpo')
 * await zs.display(zs.plot.trainingCurves(zs.trainingTable(first!.updates)))
 */
export async function miniExperiments(...arms: string[]): Promise<Experiment[]> {
  const all = await readJsonl(EXPERIMENTS_FILE, experimentSchema, 'experiments')
  if (arms.length === 0) return all
  return arms.flatMap((arm) => {
    const found = all.filter((experiment) => experiment.arm === arm).sort((a, b) => a.seed - b.seed)
    if (found.length > 0) return found
    const known = [...new Set(all.map((experiment) => experiment.arm))].join(', ')
    throw new Error(`mini experiments: an arm must be one of ${known}, got '${arm}'`)
  })
}

/**
 * One row for each arm, means over its seeds. `emLow` and `emHigh` are the 95 % interval of `em` (Wilson, of so many questions
 * as one seed has, for all seeds answer the same ones). `difference` is `em` less that of the first arm, question by question,
 * with its interval by a bootstrap. Minutes are of one run's training; those of the processor are over all cores.
 * @example
 * await zs.display(zs.mini.experimentTable(await zs.mini.experiments('grpo', 'no-mask')))
 */
export function experimentTable(experiments: readonly Experiment[]): ColumnTable {
  const arms = byArm(experiments)
  const first = arms[0]?.runs ?? []
  return table(
    columnsOf(
      arms.map(({ arm, runs }) => {
        const { low, high } = wilsonInterval(mean(runs, 'em'), questionsOf(runs))
        const { difference, low: differenceLow, high: differenceHigh } = differenceOf(runs, first)
        return {
          arm,
          seeds: runs.length,
          emBefore: meanOf(runs.map(({ before }) => before.em)),
          em: mean(runs, 'em'),
          ...{ emLow: low, emHigh: high },
          ...{ difference, differenceLow: rounded(differenceLow), differenceHigh: rounded(differenceHigh) },
          coverEm: mean(runs, 'coverEm'),
          answerWords: mean(runs, 'answerWords'),
          searches: mean(runs, 'searches'),
          emAtNoise50: mean(runs, 'emAtNoise50'),
          minutes: meanOf(runs.map(({ trainingSeconds }) => trainingSeconds / 60)),
          processorMinutes: meanOf(runs.map(({ trainingCpuSeconds }) => trainingCpuSeconds / 60)),
        }
      }),
    ),
  )
}

/**
 * Exact match, cover-EM and exact match with noise of each arm, means over its seeds with 95 % intervals, and of the policy
 * before: a table for `zs.plot.comparison`.
 * @example
 * const experiments = await zs.mini.experiments('grpo', 'em-reward')
 * await zs.display(zs.plot.comparison(zs.mini.experimentMeasures(experiments), { title: 'F1 against EM as reward' }))
 */
export function experimentMeasures(experiments: readonly Experiment[]): ColumnTable {
  const arms = byArm(experiments)
  const before = arms.slice(0, 1).map(({ runs }) => ({ method: 'before', figures: runs.map((run) => run.before) }))
  const after = arms.map(({ arm, runs }) => ({ method: arm, figures: runs.map((run) => run.after) }))
  return table(
    columnsOf(
      [...before, ...after].flatMap(({ method, figures }) => {
        const questions = figures[0]!.right.length
        const measures = [
          { dataset: 'EM', value: 'em', n: questions },
          { dataset: 'cover-EM', value: 'coverEm', n: questions },
          { dataset: 'EM at noise 0.5', value: 'emAtNoise50', n: 2 * NOISE_QUESTIONS },
        ] as const
        return measures.map(({ dataset, value, n }) => {
          const em = meanOf(figures.map((one) => one[value]))
          const { low, high } = wilsonInterval(em, n)
          return { method, dataset, domain: 'in-domain', n, em, emLow: low, emHigh: high }
        })
      }),
    ),
  )
}

/**
 * The records of each arm, one run a seed: for `zs.plot.trainingCurves`.
 * @example
 * const { grpo } = zs.mini.experimentRuns(await zs.mini.experiments('grpo'))
 * await zs.display(zs.plot.trainingCurves(zs.trainingTable(grpo![0]!)))
 */
export const experimentRuns = (experiments: readonly Experiment[]): Record<string, UpdateRecord[][]> =>
  Object.fromEntries(byArm(experiments).map(({ arm, runs }) => [arm, runs.map(({ updates }) => updates)]))

type Runs = readonly Experiment[]

const byArm = (experiments: Runs): { arm: string; runs: Runs }[] =>
  [...new Set(experiments.map(({ arm }) => arm))].map((arm) => ({
    arm,
    runs: experiments.filter((experiment) => experiment.arm === arm),
  }))

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** Resamples of equal shares differ by rounding alone. */
const rounded = (value: number): number => Math.round(1e6 * value) / 1e6

const mean = (runs: Runs, measure: Exclude<keyof ExperimentFigures, 'right'>): number =>
  meanOf(runs.map(({ after }) => after[measure]))

const questionsOf = (runs: Runs): number => runs[0]!.after.right.length

/** Exact match of one arm less that of another, by questions. */
function differenceOf(runs: Runs, others: Runs): { difference: number; low: number; high: number } {
  const ofQuestion = (of: Runs, question: number): number =>
    meanOf(of.map(({ after }) => Number(after.right[question])))
  const values = Array.from({ length: questionsOf(runs) }, (_, i) => ofQuestion(runs, i) - ofQuestion(others, i))
  return bootstrapDifference([values.slice(0, values.length / 2), values.slice(values.length / 2)])
}

/** Rows as columns. */
function columnsOf<T extends object>(rows: readonly T[]): { [K in keyof T]: T[K][] } {
  const names = Object.keys(rows[0] ?? {}) as (keyof T)[]
  return Object.fromEntries(names.map((name) => [name, rows.map((row) => row[name])])) as { [K in keyof T]: T[K][] }
}
