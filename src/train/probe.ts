import { withProgress } from '../host/progress.js'
import type { Question } from '../schema/question.js'
import { noiseThreshold } from '../simulator/curriculum.js'
import { compileCount } from '../tensor/compile.js'
import type { Group, Learner } from './learner.js'
import { playBatch } from './play-batch.js'
import type { Batch } from './play-batch.js'
import type { CheckedOptions } from './train-options.js'

/** Work of some size, and how long it took. */
export interface Measured {
  count: number
  seconds: number
}

/** Rollouts that were played, and how long it took. */
export interface PlayedBatch extends Batch {
  /** Number of rollouts, failed ones included. */
  count: number
  seconds: number
  /** Whether something was compiled meanwhile, which a later batch will not need. */
  compiled: boolean
}

/** A batch of so many rollouts is played as part of the whole one where it takes longer than so many seconds. */
const ENOUGH = 16
const LONG = 10
/** Batches of the last size, until one compiles nothing. */
const PATIENCE = 3

/**
 * Plays ever more of a batch's questions, until it is what plays side by side in the run, or takes long. They are the
 * questions, seeds and noise of the run's first updates, so that what a deterministic cache learns is not lost.
 */
export async function probeRollouts(
  options: CheckedOptions,
  draw: () => Question,
  signal: AbortSignal | undefined,
): Promise<PlayedBatch[]> {
  const { questionsPerUpdate, groupSize, curriculum, updates, policy } = options
  const whole = Math.min(questionsPerUpdate, Math.ceil(policy.slots / groupSize))
  const played: PlayedBatch[] = []
  let questions = 1
  for (;;) {
    const update = played.length
    const asked = Array.from({ length: questionsPerUpdate }, draw).slice(0, questions)
    const threshold = noiseThreshold(curriculum, Math.min(update, updates - 1), updates)
    const compiledBefore = compileCount()
    const started = performance.now()
    const one = { ...options, questionsPerUpdate: asked.length, samplingRounds: 1 }
    const batch = await playBatch(one, () => asked.shift()!, update, threshold, signal)
    signal?.throwIfAborted()
    const seconds = (performance.now() - started) / 1000
    const compiled = compileCount() > compiledBefore
    played.push({ ...batch, count: questions * groupSize, seconds, compiled })
    const times = played.filter(({ count }) => count === questions * groupSize).length
    const enough = questions === whole || (questions * groupSize >= ENOUGH && seconds > LONG)
    if (enough && (!compiled || times === PATIENCE)) break
    if (!enough) questions = Math.min(whole, questions * 4)
  }
  return played
}

/** What compiling added to the batches that were played. */
export const compilingSeconds = (slots: number, played: readonly PlayedBatch[]): number =>
  played
    .filter(({ compiled }) => compiled)
    .map(({ count, seconds }) => Math.max(0, seconds - rolloutSecondsFor(count, slots, played)))
    .reduce((a, b) => a + b, 0)

/** Seconds that rollouts of a whole batch take, by the batches that were played. */
export function rolloutSecondsFor(count: number, slots: number, played: readonly PlayedBatch[]): number {
  const steady = played.filter(({ compiled }) => !compiled)
  const known = steady.length > 0 ? steady : played.slice(-1)
  const sideBySide = Math.min(count, Math.max(slots, known.at(-1)!.count))
  return secondsFor(sideBySide, known) * (count / sideBySide)
}

/** Seconds of work of a size: on the line through the two largest sizes measured. */
export function secondsFor(size: number, measured: readonly Measured[]): number {
  const counts = [...new Set(measured.map(({ count }) => count))].sort((a, b) => b - a)
  const [largest, smaller] = counts.map((count) => {
    const seconds = measured.flatMap((one) => (one.count === count ? [one.seconds] : []))
    return { count, seconds: seconds.reduce((a, b) => a + b, 0) / seconds.length }
  }) as [Measured, Measured?]
  const proportional = largest.seconds / largest.count
  const slope = smaller ? (largest.seconds - smaller.seconds) / (largest.count - smaller.count) : proportional
  return largest.seconds + Math.min(proportional, Math.max(0, slope)) * (size - largest.count)
}

/** What optimizer steps took. */
export interface ProbedSteps {
  measured: Measured[]
  /** What the first steps took more than later ones. */
  warmUpSeconds: number
}

/**
 * Optimizer steps that change nothing, as their learning rate is 0: on each of the batches, and, where they have less than a
 * whole one has, on half of the last, so that both what a step and what a token costs is known.
 */
export async function probeSteps(
  learner: Learner,
  batches: readonly (readonly Group[])[],
  whole: number,
  signal: AbortSignal | undefined,
): Promise<ProbedSteps> {
  const last = batches.at(-1)!
  const half = countOf(last) < whole && last.length > 1 ? [last.slice(0, Math.floor(last.length / 2))] : []
  const parts = [...batches, ...half].map((groups) => ({ count: countOf(groups), groups: groups.map(withEvidence) }))
  const rounds: Measured[][] = []
  // The first round compiles; short ones are noisy.
  while (rounds.length < 2 || (rounds.length < 4 && secondsOf(rounds.at(-1)!) < 1)) {
    const round: Measured[] = []
    for (const { count, groups } of parts) {
      signal?.throwIfAborted()
      const started = performance.now()
      await withProgress({ title: 'learning' }, () => learner.step(groups, 0))
      round.push({ count, seconds: (performance.now() - started) / 1000 })
    }
    rounds.push(round)
  }
  const [first, ...steady] = rounds as [Measured[], ...Measured[][]]
  const measured = steady.flat()
  return { measured, warmUpSeconds: Math.max(0, secondsOf(first) - secondsOf(measured) / steady.length) }
}

const secondsOf = (measured: readonly Measured[]): number => measured.reduce((sum, { seconds }) => sum + seconds, 0)

const countOf = (groups: readonly Group[]): number =>
  groups.reduce((sum, { trajectories }) => sum + trajectories.length, 0)

/** With rewards that differ: a learner leaves a step out where a batch teaches nothing. */
const withEvidence = (group: Group): Group => ({ ...group, rewards: group.trajectories.map((_, i) => i % 2) })
