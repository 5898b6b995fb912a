import { interruptSignal } from '../host/jupyter.js'
import { withProgress } from '../host/progress.js'
import type { Report } from '../host/progress.js'
import { summarizeFailures } from '../schema/failure-summary.js'
import type { Question } from '../schema/question.js'
import type { Score } from '../schema/score.js'
import { abortable } from '../signal/abortable.js'
import { errorMessage } from '../file/write-error.js'
import { checkedQuestions, parseEvaluateOptions } from './evaluate-options.js'
import type { EvaluateOptions } from './evaluate-options.js'
import type { Method } from './method.js'
import { openResults } from './results-folder.js'
import type { Results } from './results-folder.js'
import { RunningScores } from './running-scores.js'
import { scoreQuestion } from './score-question.js'
import { sideBySide } from './side-by-side.js'

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
 * A failed question, also one whose method throws, has the scores of no answer, and says why in `failure`; `comparisonTable`
 * has the exact match without the failed ones too. One warning for each method tells how many failed and of what.
 *
 * With `saveTo`, each score is in the folder as soon as its question ends, whatever happens to the process; `resume: true` goes
 * on. `npx zerosearch evaluate config.json` does the same from a configuration file (`readEvaluationConfig`).
 * @throws {EvaluationError} where more than `maxFailedShare` of a method's questions fail; it carries the scores
 * @throws where an option is not what it must be, two questions of a set have one id, or the folder is not to be written; and the
 * signal's reason once it is given
 * @example
 * const methods = [zs.policyMethod('policy', policy, { searchEngine: engine }), zs.directMethod(model)]
 * const scores = await zs.evaluate({ methods, questions, saveTo: 'results/first' })
 * await zs.display(zs.comparisonTable(scores))
 */
export async function evaluate(options: EvaluateOptions): Promise<Score[]> {
  const checked = parseEvaluateOptions(options)
  const { methods, questions, saveTo, onProgress, progress = onProgress === undefined } = checked
  const signal = checked.signal ?? interruptSignal()
  const listed = Symbol.asyncIterator in questions ? undefined : questions
  if (listed) checkIds(listed)
  const results = saveTo === undefined ? undefined : await openResults({ ...checked, saveTo }, methods, listed)
  const total = listed && methods.length * listed.length
  const shown = { title: 'evaluate', unit: 'questions', ...(total !== undefined && { total }), progress }
  const evaluation = new Evaluation({ ...checked, signal, results })
  try {
    await withProgress(shown, (tell) => evaluation.run(tell))
  } catch (error) {
    const [status, fault] = signal?.aborted ? (['stopped'] as const) : (['failed', error] as const)
    await results?.finish(evaluation.scores, status, fault).catch((another: unknown) => {
      console.warn(`evaluate: ${errorMessage(another)}`)
    })
    throw error
  }
  await results?.finish(evaluation.scores, 'done')
  return evaluation.scores
}

function checkIds(questions: readonly Question[]): void {
  const ids = new IdCheck()
  for (const question of questions) ids.add(question)
}

/** Ids are what pairs the scores of two methods, and finds them again in a folder. */
class IdCheck {
  private readonly seen = new Set<string>()

  add({ dataset, id }: Question): void {
    const key = JSON.stringify([dataset, id])
    if (this.seen.has(key))
      throw new Error(`evaluate: questions of a set must have different ids, got ${id} of ${dataset} twice`)
    this.seen.add(key)
  }
}

class TooManyFailed extends Error {}

type Settings = Omit<ReturnType<typeof parseEvaluateOptions>, 'signal'> & {
  signal: AbortSignal | undefined
  results: Results | undefined
}

class Evaluation {
  /** In the order of methods and questions. */
  readonly scores: Score[] = []
  /** Undefined while questions come that nobody has counted. */
  private questions: readonly Question[] | undefined
  /** Scores that the folder had. */
  private known = 0

  constructor(private readonly settings: Settings) {
    const { questions } = settings
    this.questions = Symbol.asyncIterator in questions ? undefined : questions
  }

  async run(tell: Report): Promise<void> {
    for (const method of this.settings.methods) {
      const found = await this.score(method, tell)
      const { failed, causes } = summarizeFailures(found.scores)
      if (failed === 0) continue
      const told =
        `evaluate: ${failed} of ${found.scores.length} questions failed with method ${method.name}; ` +
        `commonest cause (${causes[0]!.count}): ${causes[0]!.message.slice(0, LONGEST_CAUSE)}`
      if (found.stopped) {
        const { maxFailedShare } = this.settings
        throw new EvaluationError(
          `${told}; this is more than maxFailedShare ${maxFailedShare}, so it stopped`,
          this.scores,
        )
      }
      console.warn(`${told}; failed questions count as wrong`)
    }
  }

  /** Scores of a method in the order of the questions; of some questions only, where too many of them failed. */
  private async score(method: Method, tell: Report): Promise<{ scores: Score[]; stopped: boolean }> {
    const { signal, concurrency, methods, onProgress, onTrajectory, results, seed } = this.settings
    const before = this.scores.length
    const found = new Map<number, Score>()
    const running = new RunningScores(method.name)
    let failed = 0
    tell(before, { note: method.name })
    const report = (score: Score): void => {
      running.add(score)
      tell(before + found.size, { note: running.text, doneBefore: this.known })
      onProgress?.(before + found.size, this.questions ? methods.length * this.questions.length : Infinity)
    }
    // What is in work is given up where the evaluation ends early.
    const end = new AbortController()
    const giveUp = (): void => end.abort(signal?.reason)
    if (signal?.aborted) giveUp()
    signal?.addEventListener('abort', giveUp)
    const ask = async (question: Question, i: number): Promise<void> => {
      end.signal.throwIfAborted()
      const saved = results?.find(method.name, question)
      if (saved) {
        found.set(i, saved)
        this.known++
        return report(saved)
      }
      const scored = await scoreQuestion(method, question, seed, end.signal)
      await results?.add(question, scored)
      end.signal.throwIfAborted()
      found.set(i, scored.score)
      if (scored.score.failure !== undefined) failed++
      onTrajectory?.(method.name, scored.trajectory)
      report(scored.score)
      if (failed > this.settings.maxFailedShare * (this.questions?.length ?? Math.max(found.size, concurrency))) {
        // At once, so that questions which end in the same moment do not count.
        end.abort(new TooManyFailed())
        end.signal.throwIfAborted()
      }
    }
    let stopped = false
    try {
      await abortable(sideBySide(this.questions ?? this.reading(), concurrency, ask), end.signal)
    } catch (error) {
      stopped = error instanceof TooManyFailed
      if (!stopped) throw error
    } finally {
      signal?.removeEventListener('abort', giveUp)
      end.abort()
      for (const [, score] of [...found].sort(([a], [b]) => a - b)) this.scores.push(score)
    }
    return { scores: this.scores.slice(before), stopped }
  }

  /** The questions as they come; when all have come, further methods find them counted. */
  private async *reading(): AsyncGenerator<Question> {
    const ids = new IdCheck()
    const all: Question[] = []
    let count = 0
    for await (const question of checkedQuestions(this.settings.questions as AsyncIterable<Question>)) {
      ids.add(question)
      count++
      if (this.settings.methods.length > 1) all.push(question)
      yield question
    }
    if (count === 0) throw new Error('evaluate: questions must be at least one, got none')
    if (all.length > 0) this.questions = all
  }
}
