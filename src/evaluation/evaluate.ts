import type { Policy } from '../policy/policy.js'
import { coverExactMatch, exactMatch, f1 } from '../reward/answer-metrics.js'
import { rollOutMany } from '../rollout/roll-out.js'
import type { RolloutOptions } from '../rollout/roll-out.js'
import type { Question } from '../schema/question.js'
import type { Score } from '../schema/score.js'
import type { Trajectory } from '../schema/trajectory.js'

/** Something that answers questions. */
export interface Method {
  name: string
  /** Answers in the order of the questions. */
  answer(questions: readonly Question[], onAnswer?: () => void): Promise<Trajectory[]>
}

/** A policy that may search. Sampling defaults to greedy, as evaluations are run. */
export function policyMethod(name: string, policy: Policy, options: Omit<RolloutOptions, 'seed'>): Method {
  const sampling = options.sampling ?? { temperature: 0, topP: 1, topK: 0 }
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
  onProgress?: (done: number, total: number) => void
}

/** Scores every method on every question. A failed rollout counts as no answer. */
export async function evaluate({ methods, questions, onProgress }: EvaluateOptions): Promise<Score[]> {
  const scores: Score[] = []
  const total = methods.length * questions.length
  let done = 0
  for (const method of methods) {
    const trajectories = await method.answer(questions, () => onProgress?.(++done, total))
    scores.push(...trajectories.map((trajectory) => score(method.name, trajectory)))
  }
  return scores
}

/** Metrics of one trajectory. */
export function score(method: string, { question, answer, searches }: Trajectory): Score {
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
  }
}
