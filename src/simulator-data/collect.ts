import { inspect } from 'node:util'
import { z } from 'zod'
import { isPolicy } from '../evaluation/methods/transcript.js'
import type { Method } from '../evaluation/method.js'
import { sideBySide } from '../evaluation/side-by-side.js'
import type { Journal } from '../file/journal.js'
import type { Report } from '../host/progress.js'
import type { LanguageModel } from '../language-model/language-model.js'
import type { Policy } from '../policy/policy.js'
import { hash } from '../random/seeded-random.js'
import { newTrajectory } from '../rollout/new-trajectory.js'
import { parseOptions } from '../schema/parse-options.js'
import type { Question } from '../schema/question.js'
import { trajectorySchema } from '../schema/record-schemas.js'
import type { Trajectory } from '../schema/trajectory.js'
import { abortable } from '../signal/abortable.js'
import { NOTHING_SPENT, addSpent } from './attempt.js'
import type { Attempt, CollectedSearch, JournalLine } from './attempt.js'
import { Collected } from './collected.js'
import { judgeOf } from './judge.js'
import { OPERATION } from './options.js'
import type { CheckedSimulatorData } from './options.js'
import { countedModel, watchedEngine } from './watched.js'

/**
 * Plays and judges what has not been played and judged; each result is kept as soon as it is there. It waits for what it has
 * begun, however it ends.
 * @throws where too many attempts fail, what is kept cannot be written, or the signal is given
 */
export async function collect(
  options: CheckedSimulatorData,
  collected: Collected,
  journal: Pick<Journal<JournalLine>, 'add'>,
  report: Report,
): Promise<void> {
  const { questions, rollouts, concurrency, maxFailedShare, seed } = options
  const judge = judgeOf(options.judge)
  const items = questions.flatMap((question, place) =>
    Array.from({ length: rollouts }, (_, rollout) => ({ question, rollout, seed: hash(seed, place, rollout) })),
  )
  const end = new AbortController()
  const { signal } = end
  const stop = (): void => end.abort(options.signal?.reason)
  if (options.signal?.aborted) stop()
  options.signal?.addEventListener('abort', stop)
  let done = 0
  let failed = 0

  async function keep(line: JournalLine): Promise<void> {
    signal.throwIfAborted()
    await journal.add(line)
    collected.take(line)
  }

  async function work({ question, rollout, seed }: (typeof items)[number]): Promise<void> {
    let attempt = collected.attempt(question.id, rollout)
    if (!attempt || attempt.trajectory.failure) {
      attempt = await play(options, question, { rollout, seed, signal })
      await keep({ kind: 'played', ...attempt })
    }
    let failure = attempt.trajectory.failure
    if (!failure && hasAnswer(attempt.trajectory) && !collected.judged(question.id, rollout, judge.name)) {
      const { trajectory } = attempt
      try {
        const judging = new Promise((resolve) => resolve(judge.judge(trajectory, { seed, signal })))
        const { judgement } = parseOptions(judge.name, judged, { judgement: await abortable(judging, signal) })
        const { verdict, said, spent = NOTHING_SPENT } = judgement
        const words = said === undefined ? {} : { said }
        await keep({ kind: 'judged', questionId: question.id, rollout, judge: judge.name, verdict, ...words, spent })
      } catch (error) {
        signal.throwIfAborted()
        failure = { boundary: 'reward', message: messageOf(error) }
        collected.judgeFailed(messageOf(error))
      }
    }
    if (failure && ++failed > maxFailedShare * items.length) {
      const rule = `more than maxFailedShare ${maxFailedShare} of ${items.length} attempts failed`
      throw new Error(
        `${OPERATION}: ${rule}, so it stopped; the last one in ${failure.boundary}: ${failure.message}. ` +
          `What was collected is kept in ${options.saveTo}; \`resume: true\` goes on with it`,
      )
    }
    report(++done)
  }

  try {
    await sideBySide(items, concurrency, async (item) => {
      if (signal.aborted) return
      // The others are given up too, and waited for.
      await work(item).catch((error: unknown) => end.abort(error))
    })
    signal.throwIfAborted()
  } finally {
    options.signal?.removeEventListener('abort', stop)
  }
}

const judged = z.object({
  judgement: z.object({
    verdict: z.enum(['right', 'wrong', 'unclear']),
    said: z.string().exactOptional(),
    spent: z
      .object({
        completions: z.number(),
        promptTokens: z.number(),
        completionTokens: z.number(),
        cost: z.number().exactOptional(),
      })
      .exactOptional(),
  }),
})

/** A trajectory that ended without one says nothing about its documents. */
export const hasAnswer = ({ answer }: Trajectory): boolean => answer !== null && answer.trim() !== ''

/** The method for one attempt. What it searches and asks is noted beside it. */
export function methodFor(
  { method, model, searchEngine }: Pick<CheckedSimulatorData, 'method' | 'model' | 'searchEngine'>,
  attempt: Pick<Attempt, 'searches' | 'spent'>,
): Method {
  const asked = isPolicy(model)
    ? model
    : countedModel(model, (one) => void (attempt.spent = addSpent(attempt.spent, one)))
  // A method takes a model or a policy, as the caller's model is.
  const made: unknown = method(asked as LanguageModel & Policy, {
    searchEngine: watchedEngine(searchEngine, attempt.searches),
  })
  return parseOptions(OPERATION, z.object({ method: z.custom<Method>(isMethod, 'must make an evaluation method') }), {
    method: made,
  }).method
}

function isMethod(value: unknown): boolean {
  const { name, answer } = (value ?? {}) as Record<string, unknown>
  return typeof name === 'string' && typeof answer === 'function'
}

async function play(
  options: CheckedSimulatorData,
  question: Question,
  { rollout, seed, signal }: { rollout: number; seed: number; signal: AbortSignal },
): Promise<Attempt> {
  const searches: CollectedSearch[] = []
  const attempt: Attempt = { rollout, trajectory: newTrajectory(question, seed), searches, spent: NOTHING_SPENT }
  try {
    const answering = new Promise((resolve) => resolve(methodFor(options, attempt).answer(question, { seed, signal })))
    const trajectory = (await abortable(answering, signal)) as Trajectory
    attempt.spent = addSpent(attempt.spent, policyTokens(trajectory))
    attempt.trajectory = trajectorySchema.parse(slim(trajectory, question, seed))
  } catch (error) {
    signal.throwIfAborted()
    attempt.trajectory.stopReason = 'failed'
    attempt.trajectory.failure = { boundary: 'policy', message: messageOf(error) }
  }
  // What runs on in the background is not part of it.
  return { ...attempt, searches: [...searches] }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : inspect(error))

/** What a policy read and wrote. */
function policyTokens({ ids, lossMask }: Trajectory) {
  const written = lossMask.reduce((sum, mask) => sum + mask, 0)
  return { completions: 0, promptTokens: ids.length - written, completionTokens: written }
}

/** Without what is in no use here, or stands in the searches; of the question that was asked, whatever the method says. */
function slim(trajectory: Trajectory, question: Question, seed: number): Trajectory {
  const turns = trajectory.turns.map(({ observation, ...turn }) => ({
    ...turn,
    ...(observation && { observation: { ...observation, documents: [] } }),
  }))
  return { ...trajectory, question, seed, turns, ids: [], lossMask: [], logprobs: [], promptLength: 0 }
}
