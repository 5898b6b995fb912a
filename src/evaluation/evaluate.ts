import { withProgress } from '../host/progress.js'
import type { Policy, Sampling } from '../policy/policy.js'
import { coverExactMatch, exactMatch, f1 } from '../reward/answer-metrics.js'
import { rollOutMany } from '../rollout/roll-out.js'
import type { RolloutOptions } from '../rollout/roll-out.js'
import type { Question } from '../schema/question.js'
import type { Score } from '../schema/score.js'
import type { Trajectory } from '../schema/trajectory.js'

/** Something that answers questions. */
export interface Method {
  name: string
  /** Answers in the order of the questions; a failure is a trajectory too. */
  answer(questions: readonly Question[], onAnswer?: (trajectory: Trajectory) => void): Promise<Trajectory[]>
}

/** How evaluations sample: always the likeliest token. */
export const GREEDY: Sampling = { temperature: 0, topP: 1, topK: 0 }

/** A policy that may search. Sampling defaults to greedy. */
export function policyMethod(name: string, policy: Policy, options: Omit<RolloutOptions, 'seed'>): Method {
  const sampling = options.sampling ?? GREEDY
  return {
    name,
    answer: (questions, onAnswer) =>
      rollOutMany(
        policy,
        questions.map((question, i) => ({ question, seed: i })),
        { ...options, sampling },
        onAnswer,
      ),
  }
}

export interface EvaluateOptions {
  methods: readonly Method[]
  /** Questions of any number of sets; all of them are asked. */
  questions: readonly Question[]
  /** Shows a bar with the time left. Default: true, unless `onProgress` is given. */
  progress?: boolean
  onProgress?: (done: number, total: number) => void
  /** Each trajectory as it ends, failures included. */
  onTrajectory?: (method: string, trajectory: Trajectory) => void
}

/**
 * Scores every method on every question, one method after the other, its questions side by side. The scores have the
 * order of methods and questions. A failed rollout counts as no answer.
 */
export async function evaluate(options: EvaluateOptions): Promise<Score[]> {
  const { methods, questions, onProgress, onTrajectory, progress = onProgress === undefined } = options
  const names = methods.map((method) => method.name)
  const twice = names.find((name, i) => names.indexOf(name) < i)
  if (twice !== undefined) throw new Error(`evaluate: methods must have different names, got ${twice} twice`)
  const total = methods.length * questions.length
  return withProgress({ title: 'evaluate', unit: 'questions', total, progress }, async (report) => {
    const scores: Score[] = []
    let done = 0
    for (const method of methods) {
      report(done, method.name)
      const trajectories = await method.answer(questions, (trajectory) => {
        onTrajectory?.(method.name, trajectory)
        report(++done)
        onProgress?.(done, total)
      })
      if (trajectories.length !== questions.length) {
        throw new Error(
          `evaluate: ${method.name} must answer all ${questions.length} questions, got ${trajectories.length}`,
        )
      }
      scores.push(...trajectories.map((trajectory) => score(method.name, trajectory)))
    }
    return scores
  })
}

/** Metrics of one trajectory. */
export function score(method: string, { question, answer, searches, failure }: Trajectory): Score {
  const { goldAnswers, dataset, id } = question
  return {
    method,
    dataset,
    questionId: id,
    answer,
    em: exactMatch(answer, goldAnswers),
    coverEm: coverExactMatch(answer, goldAnswers),
    f1: f1(answer, goldAnswers),
    searches,
    answered: answer === null ? 0 : 1,
    ...(failure && { failure: `${failure.boundary}: ${failure.message}` }),
  }
}
