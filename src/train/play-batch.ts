import { hasVariance, informativeGroups } from '../algorithm/group-advantage.js'
import { rollOutMany } from '../rollout/roll-out.js'
import type { Question } from '../schema/question.js'
import { createRandom, hash, shuffle } from '../random/seeded-random.js'
import type { Trajectory } from '../schema/trajectory.js'
import type { UpdateRecord } from '../schema/update-record.js'
import { drawQuality } from '../simulator/curriculum.js'
import { measureBatch } from './batch-measures.js'
import type { BatchMeasures } from './batch-measures.js'
import type { Group } from './learner.js'
import { rewardAll } from './rewarded.js'
import type { Rewarded } from './rewarded.js'
import type { CheckedOptions } from './train-options.js'
import { busyClock } from './work-clock.js'
import type { BusyClock } from './work-clock.js'

/** The rollouts of one update. */
export interface Batch {
  /** All, the failed ones included, question by question. */
  trajectories: Trajectory[]
  /**
   * What there is to learn from: without failed rollouts, and without questions of which none is left. Where groups were
   * replaced, those that teach something, if there are any.
   */
  groups: Group[]
  measured: BatchMeasures & Pick<UpdateRecord, 'searchSeconds' | 'rewardSeconds' | 'samplingRounds'>
}

/**
 * Plays each question `groupSize` times. With `samplingRounds`, groups whose rewards are all equal are replaced by those of
 * further questions (dynamic sampling, arXiv 2503.14476, section 3.2): in each round as many are asked as are missing.
 * verl 0.9.1 asks for a whole batch again, leaves out what is too much, and ends a run in which `max_num_gen_batches` are
 * not enough; here the batch is smaller then.
 * @param draw Gives the next question.
 * @param update From 0.
 * @param threshold Probability that the simulator is asked for noise.
 */
export async function playBatch(
  options: CheckedOptions,
  draw: () => Question,
  update: number,
  threshold: number,
  signal: AbortSignal | undefined,
): Promise<Batch> {
  const { questionsPerUpdate, groupSize, maxFailedShare, samplingRounds = 1 } = options
  const clocks: Clocks = { search: busyClock(), reward: busyClock() }
  const rewarded: Rewarded[] = []
  const groups: Group[] = []
  let rounds = 0
  for (let missing = questionsPerUpdate; missing > 0 && rounds < samplingRounds; rounds++) {
    const questions = Array.from({ length: missing }, draw)
    const played = await playGroups(options, questions, { update, threshold, first: groups.length, clocks, signal })
    rewarded.push(...played.rewarded)
    groups.push(...played.groups)
    if (signal?.aborted) break
    // What fails now fails again.
    const failed = played.rewarded.filter(({ trajectory }) => trajectory.stopReason === 'failed').length
    if (failed / played.rewarded.length > maxFailedShare) missing = 0
    else missing = questionsPerUpdate - groups.filter((group) => hasVariance(group.rewards)).length
  }
  const informative = informativeGroups(groups.map((group) => group.rewards)).map((place) => groups[place]!)
  const learned = samplingRounds > 1 && informative.length > 0 ? informative : groups
  return {
    trajectories: rewarded.map(({ trajectory }) => trajectory),
    groups: learned.filter((group) => group.trajectories.length > 0),
    measured: {
      ...measureBatch(rewarded, groups, groupSize),
      ...(samplingRounds > 1 && { samplingRounds: rounds }),
      searchSeconds: clocks.search.seconds(),
      rewardSeconds: clocks.reward.seconds(),
    },
  }
}

type Clocks = Record<'search' | 'reward', BusyClock>

interface Round {
  update: number
  threshold: number
  /** Number of groups of this update before it. */
  first: number
  clocks: Clocks
  signal: AbortSignal | undefined
}

async function playGroups(
  options: CheckedOptions,
  questions: readonly Question[],
  { update, threshold, first, clocks, signal }: Round,
): Promise<{ rewarded: Rewarded[]; groups: Group[] }> {
  const { policy, searchEngine, protocol, temperature, topK, maxSearches, groupSize, seed } = options
  const items = questions.flatMap((question, i) =>
    Array.from({ length: groupSize }, (_, k) => ({ question, seed: hash(seed, update, first + i, k) })),
  )
  const played = await rollOutMany(policy, items, {
    searchEngine: {
      name: searchEngine.name,
      search: (query, context) => clocks.search.during(() => searchEngine.search(query, context)),
    },
    protocol,
    sampling: { temperature, topP: 1, topK: 0 },
    topK,
    ...(maxSearches !== undefined && { maxSearches }),
    ...(signal && { signal }),
    quality: (search, seedOfTrajectory) => drawQuality(threshold, seedOfTrajectory, search),
  })
  const rewarded = await clocks.reward.during(() => rewardAll(played, options.reward, signal))
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
  return { rewarded, groups }
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
