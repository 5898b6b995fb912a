import { z } from 'zod'
import { withProgress } from '../host/progress.js'
import { scoreAnswer } from '../reward/answer-metrics.js'
import { abortable } from '../signal/abortable.js'
import { interruptSignal } from '../host/jupyter.js'
import { summarizeFailures } from '../schema/failure-summary.js'
import { aFunction, anAbortSignal, parseOptions } from '../schema/parse-options.js'
import type { Question } from '../schema/question.js'
import { questionSchema } from '../schema/record-schemas.js'
import type { Score } from '../schema/score.js'
import type { Trajectory } from '../schema/trajectory.js'
import type { Method } from './method.js'
import { sideBySide } from './side-by-side.js'

/** Options of `evaluate`. */
export interface EvaluateOptions {
  /** At least one, with different names: `policyMethod`, `directMethod`, `ragMethod`, or your own. */
  methods: readonly Method[]
  /** Questions of any number of sets; all of them are asked. */
  questions: readonly Question[]
  /** Questions that are in work at a time; default 256. A local model wants at least as many as it has slots. */
  concurrency?: number
  /** A method of which a larger share of questions fails than this is stopped; default 0.5, and 1 never stops. */
  maxFailedShare?: number
  /** Shows a bar with the time left. Default: true, unless `onProgress` is given. */
  progress?: boolean
  /** Questions that are done, over all methods, of all. */
  onProgress?: (done: number, total: number) => void
  /** Each trajectory as it ends, failures included. */
  onTrajectory?: (method: string, trajectory: Trajectory) => void
  /** Gives up at once: the evaluation rejects with the signal's reason. Default: the stop button of the notebook. */
  signal?: AbortSignal
}

const isMethod = (value: unknown): boolean => {
  const { name, answer } = (value ?? {}) as Partial<Record<keyof Method, unknown>>
  return typeof name === 'string' && name !== '' && typeof answer === 'function'
}

const isQuestion = (value: unknown): boolean => questionSchema.safeParse(value).success

const optionsSchema = z.strictObject({
  methods: z.array(z.custom<Method>(isMethod, 'must be a method with a name; policyMethod makes one')).min(1),
  questions: z
    .array(z.custom<Question>(isQuestion, 'must be a question with id, dataset, question and goldAnswers'))
    .min(1),
  concurrency: z.int().min(1).default(256),
  maxFailedShare: z.number().min(0).max(1).default(0.5),
  progress: z.boolean().optional(),
  onProgress: aFunction<NonNullable<EvaluateOptions['onProgress']>>().optional(),
  onTrajectory: aFunction<NonNullable<EvaluateOptions['onTrajectory']>>().optional(),
  signal: anAbortSignal().optional(),
})

/** Characters of a cause that a message shows. */
const LONGEST_CAUSE = 300

/** Too many questions of a method failed. What was scored until then is kept. */
export class EvaluationError extends Error {
  /** Tells it from other errors. */
  override readonly name = 'EvaluationError'

  constructor(
    message: string,
    /** In the order of methods and questions, failed ones included. */
    readonly scores: Score[],
  ) {
    super(message)
  }
}

/**
 * Scores every method on every question, one method after the other, some of its questions side by side. The scores
 * have the order of methods and questions.
 *
 * A failed question has the scores of no answer, and says why in `failure`; `comparisonTable` has the exact match
 * without the failed ones too. One warning for each method tells how many failed and of what.
 * @throws {EvaluationError} where more than `maxFailedShare` of a method's questions fail; it carries the scores
 * @throws where an option is not what it must be, and the signal's reason once it is given
 * @example
 * const methods = [zs.policyMethod('policy', policy, { searchEngine: engine }), zs.directMethod(model)]
 * const scores = await zs.evaluate({ methods, questions })
 * await zs.display(zs.comparisonTable(scores))
 */
export async function evaluate(options: EvaluateOptions): Promise<Score[]> {
  const { methods, questions, onProgress, onTrajectory, ...rest } = parseOptions('evaluate', optionsSchema, options)
  const { concurrency, maxFailedShare, progress = onProgress === undefined, signal = interruptSignal() } = rest
  const names = methods.map((method) => method.name)
  const twice = names.find((name, i) => names.indexOf(name) < i)
  if (twice !== undefined) throw new Error(`evaluate: methods must have different names, got ${twice} twice`)
  const total = methods.length * questions.length
  return withProgress({ title: 'evaluate', unit: 'questions', total, progress }, async (tell) => {
    const scores: Score[] = []
    for (const method of methods) {
      const before = scores.length
      tell(before, { note: method.name })
      const report = (trajectory: Trajectory, done: number): void => {
        onTrajectory?.(method.name, trajectory)
        tell(before + done)
        onProgress?.(before + done, total)
      }
      const found = await scoreMethod(method, questions, concurrency, maxFailedShare, signal, report)
      for (const each of found) scores.push(each)
      const { failed, causes } = summarizeFailures(found)
      if (failed === 0) continue
      const told =
        `evaluate: ${failed} of ${found.length} questions failed with method ${method.name}; ` +
        `commonest cause (${causes[0]!.count}): ${causes[0]!.message.slice(0, LONGEST_CAUSE)}`
      if (failed > maxFailedShare * questions.length)
        throw new EvaluationError(`${told}; this is more than maxFailedShare ${maxFailedShare}, so it stopped`, scores)
      console.warn(`${told}; failed questions count as wrong`)
    }
    return scores
  })
}

class TooManyFailed extends Error {}

/** The scores of a method in the order of the questions; of some questions only, where too many of them failed. */
async function scoreMethod(
  method: Method,
  questions: readonly Question[],
  concurrency: number,
  maxFailedShare: number,
  signal: AbortSignal | undefined,
  report: (trajectory: Trajectory, done: number) => void,
): Promise<Score[]> {
  const scores = new Map<number, Score>()
  let failed = 0
  // What is in work is given up where the evaluation ends early.
  const end = new AbortController()
  const ended = end.signal
  const giveUp = (): void => end.abort(signal?.reason)
  if (signal?.aborted) giveUp()
  signal?.addEventListener('abort', giveUp)
  try {
    await sideBySide(questions, concurrency, async (question, i) => {
      ended.throwIfAborted()
      const trajectory = await abortable(method.answer(question, { seed: i, signal: ended }), ended)
      ended.throwIfAborted()
      scores.set(i, score(method.name, trajectory))
      if (trajectory.failure) failed++
      report(trajectory, scores.size)
      if (failed > maxFailedShare * questions.length) {
        // At once, so that questions which end in the same moment do not count.
        end.abort(new TooManyFailed())
        end.signal.throwIfAborted()
      }
    })
  } catch (error) {
    if (!(error instanceof TooManyFailed)) throw error
  } finally {
    signal?.removeEventListener('abort', giveUp)
    end.abort()
  }
  return [...scores].sort(([a], [b]) => a - b).map(([, each]) => each)
}

/** Metrics of one trajectory. A failed one counts as one without an answer. */
function score(method: string, { question, answer, searches, spent, failure }: Trajectory): Score {
  const { goldAnswers, dataset, domain, id } = question
  const given = failure ? null : answer
  return {
    method,
    dataset,
    ...(domain && { domain }),
    questionId: id,
    answer: given,
    ...scoreAnswer(given, goldAnswers),
    searches,
    ...(spent && { turns: spent.turns, tokens: spent.tokens, pages: spent.pages }),
    answered: given === null ? 0 : 1,
    ...(failure && { failure: `${failure.boundary}: ${failure.message}` }),
  }
}
