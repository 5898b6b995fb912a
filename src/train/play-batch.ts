import { hasVariance } from '../algorithm/group-advantage.js'
import { exactMatch } from '../reward/answer-metrics.js'
import { rollOutMany } from '../rollout/roll-out.js'
import { summarizeFailures } from '../schema/failure-summary.js'
import type { Question } from '../schema/question.js'
import { createRandom, hash, shuffle } from '../random/seeded-random.js'
import type { Trajectory } from '../schema/trajectory.js'
import type { UpdateRecord } from '../schema/update-record.js'
import { drawQuality } from '../simulator/curriculum.js'
import type { Group } from './learner.js'
import { rewardAll } from './rewarded.js'
import type { Rewarded } from './rewarded.js'
import type { CheckedOptions } from './train-options.js'

/** The rollouts of one update. */
export interface Batch {
  /** All, the failed ones included, question by question. */
  trajectories: Trajectory[]
  /** What there is to learn from: without failed rollouts, and without questions of which none is left. */
  groups: Group[]
  measured: BatchMeasures
}

/** What an update's record says of its rollouts. Means are over those that did not fail, 0 where there are none. */
export type BatchMeasures = Pick<
  UpdateRecord,
  | 'reward'
  | 'rewardParts'
  | 'em'
  | 'searchesPerQuestion'
  | 'answered'
  | 'tokensPerTrajectory'
  | 'trajectories'
  | 'failed'
  | 'failures'
  | 'zeroVarianceGroups'
>

/**
 * Plays each question `groupSize` times.
 * @param update From 0.
 * @param threshold Probability that the simulator is asked for noise.
 */
export async function playBatch(
  options: CheckedOptions,
  questions: readonly Question[],
  update: number,
  threshold: number,
  signal: AbortSignal | undefined,
): Promise<Batch> {
  const { policy, searchEngine, protocol, temperature, topK, maxSearches, groupSize, seed } = options
  const items = questions.flatMap((question, i) =>
    Array.from({ length: groupSize }, (_, k) => ({ question, seed: hash(seed, update, i, k) })),
  )
  const played = await rollOutMany(policy, items, {
    searchEngine,
    protocol,
    sampling: { temperature, topP: 1, topK: 0 },
    topK,
    ...(maxSearches !== undefined && { maxSearches }),
    ...(signal && { signal }),
    quality: (search, seedOfTrajectory) => drawQuality(threshold, seedOfTrajectory, search),
  })
  const rewarded = await rewardAll(played, options.reward, signal)
  // A question may be drawn twice in a batch: its place tells the groups apart.
  const groups = questions.map((question, i): Group => {
    const members = rewarded.slice(i * groupSize, (i + 1) * groupSize)
    const whole = members.filter(({ trajectory }) => trajectory.stopReason !== 'failed')
    return {
      question,
      trajectories: whole.map(({ trajectory }) => trajectory),
      rewards: whole.map(({ reward }) => reward),
    }
  })
  const trajectories = rewarded.map(({ trajectory }) => trajectory)
  return {
    trajectories,
    groups: groups.filter((group) => group.trajectories.length > 0),
    measured: measure(rewarded, groups),
  }
}

function measure(rewarded: readonly Rewarded[], groups: readonly Group[]): BatchMeasures {
  const whole = groups.flatMap((group) => group.trajectories)
  const rewards = groups.flatMap((group) => group.rewards)
  const mean = (values: readonly number[]): number =>
    values.length === 0 ? 0 : values.reduce((a, b) => a + b, 0) / values.length
  const { failed, causes } = summarizeFailures(rewarded.map(({ trajectory }) => trajectory))
  const parts = rewarded.flatMap((one) => (one.parts ? [one.parts] : []))
  const names = Object.keys(parts[0] ?? {})
  return {
    reward: mean(rewards),
    ...(names.length > 0 && {
      rewardParts: Object.fromEntries(names.map((name) => [name, mean(parts.map((part) => part[name]!))])),
    }),
    em: mean(whole.map(({ answer, question }) => exactMatch(answer, question.goldAnswers))),
    searchesPerQuestion: mean(whole.map(({ searches }) => searches)),
    answered: mean(whole.map(({ answer }) => (answer === null ? 0 : 1))),
    tokensPerTrajectory: mean(whole.map(({ ids }) => ids.length)),
    trajectories: whole.length,
    failed,
    ...(failed > 0 && { failures: causes }),
    zeroVarianceGroups: groups.filter((group) => !hasVariance(group.rewards)).length,
  }
}

/** Questions in a shuffled order, shuffled anew when all have been asked. */
export function questionDrawer(questions: readonly Question[], seed: number): () => Question {
  const random = createRandom(hash(seed, 0x71))
  let left: Question[] = []
  return () => {
    if (left.length === 0) left = shuffle(random, questions)
    return left.pop()!
  }
}
