import type { Score } from './score.js'

/** The same policy on a simulator and on a real engine, question by question; see `compareEngines`. Right is an exact match. */
export interface EngineComparison {
  /** Number of questions. */
  questions: number
  /** Questions that are right with both. */
  both: number
  /** Right with the simulator alone. */
  onlySimulated: number
  /** Right with the real engine alone. */
  onlyReal: number
  /** Right with none. */
  neither: number
  /** Exact match with the real engine less that with the simulator, in [−1, 1]. */
  difference: number
  /** Lower end of its 95 % interval (bootstrap of the questions within each set). */
  low: number
  /** Upper end of that interval. */
  high: number
  /** Exact McNemar, two-sided. */
  pValue: number
  /** Scores with the simulator, in the order of the questions. */
  simulated: Score[]
  /** Scores with the real engine. */
  real: Score[]
}
