import { inspect } from 'node:util'
import { z } from 'zod'
import { aFunction, anAbortSignal, parseOptions } from '../schema/parse-options.js'
import type { Question } from '../schema/question.js'
import { questionSchema } from '../schema/record-schemas.js'
import type { Trajectory } from '../schema/trajectory.js'
import type { Method } from './method.js'

/** Options of `evaluate`. */
export interface EvaluateOptions {
  /** At least one, with different names: `policyMethod`, `directMethod`, `ragMethod`, or your own. */
  methods: readonly Method[]
  /**
   * Questions of any number of sets; all of them are asked. They may come one after the other, as `streamQuestions` gives
   * them: they are then read while they are asked.
   */
  questions: readonly Question[] | AsyncIterable<Question>
  /** Questions that are in work at a time; default 256. A local model wants at least as many as it has slots. */
  concurrency?: number
  /**
   * Draws repeat for a seed; default 0. Those of a question depend on seed, set and id alone, not on which other questions are
   * asked, or in which order.
   */
  seed?: number
  /**
   * A method of which a larger share of questions fails than this is stopped; default 0.5, and 1 never stops. Of questions that
   * come one after the other, those count that have been asked.
   */
  maxFailedShare?: number
  /**
   * Folder in which the evaluation is kept while it runs: `scores.jsonl`, and, when it ends, `scores.parquet`; `evaluation.json` says of
   * what they are. Default: it is not kept.
   */
  saveTo?: string
  /**
   * Goes on with the evaluation in `saveTo`: what is scored there is not asked again, what failed is. There may be more
   * methods and more or other questions than before. Default false.
   */
  resume?: boolean
  /** True replaces the evaluation that is in `saveTo`; default false: it is refused. */
  overwrite?: boolean
  /** Keeps every trajectory in `trajectories.jsonl` of the folder as well. Default false. */
  trajectories?: boolean
  /** Shows a bar with the time left and exact match so far. Default: true, unless `onProgress` is given. */
  progress?: boolean
  /** Questions that are done, over all methods, of all; of all is Infinity where nobody knows yet how many come. */
  onProgress?: (done: number, total: number) => void
  /** Each trajectory as it ends, failures included; not those of questions that were scored before. */
  onTrajectory?: (method: string, trajectory: Trajectory) => void
  /** Gives up at once: the evaluation rejects with the signal's reason. Default: the stop button of the notebook. */
  signal?: AbortSignal
}

const isMethod = (value: unknown): boolean => {
  const { name, answer } = (value ?? {}) as Partial<Record<keyof Method, unknown>>
  return typeof name === 'string' && name !== '' && typeof answer === 'function'
}

const isQuestion = (value: unknown): boolean => questionSchema.safeParse(value).success
const isStream = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value

const A_QUESTION = 'must be a question with id, dataset, question and goldAnswers'

const schema = z.strictObject({
  methods: z.array(z.custom<Method>(isMethod, 'must be a method with a name; policyMethod makes one')).min(1),
  concurrency: z.int().min(1).default(256),
  seed: z.int().default(0),
  maxFailedShare: z.number().min(0).max(1).default(0.5),
  saveTo: z.string().min(1).exactOptional(),
  resume: z.boolean().default(false),
  overwrite: z.boolean().default(false),
  trajectories: z.boolean().default(false),
  progress: z.boolean().optional(),
  onProgress: aFunction<NonNullable<EvaluateOptions['onProgress']>>().optional(),
  onTrajectory: aFunction<NonNullable<EvaluateOptions['onTrajectory']>>().optional(),
  signal: anAbortSignal().optional(),
})

const listed = z.array(z.custom<Question>(isQuestion, A_QUESTION)).min(1)
const streamed = z.custom<AsyncIterable<Question>>(isStream)

/** Rules of options together. */
const whole = <T extends z.ZodType<{ saveTo?: string; resume: boolean; overwrite: boolean; trajectories: boolean }>>(
  one: T,
) =>
  one
    .refine(({ resume, trajectories, saveTo }) => saveTo !== undefined || !(resume || trajectories), {
      path: ['saveTo'],
      error: 'must name the folder for what resume goes on with, and trajectories keeps',
    })
    .refine(({ resume, overwrite }) => !(resume && overwrite), {
      path: ['overwrite'],
      error: 'must be left out where resume goes on',
    })

/** The options, checked, with their defaults. @throws {Error} on the first that has no sense */
export function parseEvaluateOptions(options: EvaluateOptions) {
  const questions = isStream((options as Partial<EvaluateOptions> | undefined)?.questions) ? streamed : listed
  const checked = parseOptions(
    'evaluate',
    whole(schema.extend({ questions: questions as z.ZodType<EvaluateOptions['questions']> })),
    options,
  )
  const names = checked.methods.map((method) => method.name)
  const twice = names.find((name, i) => names.indexOf(name) < i)
  if (twice !== undefined)
    throw new Error(`evaluate: methods must have different names, got ${twice} twice; give one another name`)
  return checked
}

/** Passes questions on; each is checked, as one of a list is. */
export async function* checkedQuestions(questions: AsyncIterable<Question>): AsyncGenerator<Question> {
  let place = 0
  for await (const question of questions) {
    if (!isQuestion(question)) throw new Error(`evaluate: questions.${place} ${A_QUESTION}, got ${inspect(question)}`)
    place++
    yield question
  }
}
