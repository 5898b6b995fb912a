import type { Question } from '../schema/question.js'
import type { Trajectory } from '../schema/trajectory.js'

/** The trajectory of a question before anything was said. */
export const newTrajectory = (question: Question, seed: number): Trajectory => ({
  question,
  turns: [],
  ids: [],
  lossMask: [],
  logprobs: [],
  promptLength: 0,
  answer: null,
  stopReason: 'maxTurns',
  searches: 0,
  seed,
})
