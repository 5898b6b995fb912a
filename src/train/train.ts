import { resolve } from 'node:path'
import { groupAdvantages } from '../algorithm/advantage.js'
import type { FolderWriter } from '../file/write-folder.js'
import type { LocalPolicy } from '../policy/local-policy.js'
import { exactMatch, f1 } from '../reward/answer-metrics.js'
import { interruptSignal } from '../rollout/interrupt.js'
import { rollOutMany } from '../rollout/roll-out.js'
import { zerosearchProtocol } from '../rollout/protocol.js'
import type { Protocol } from '../rollout/protocol.js'
import type { Question } from '../schema/question.js'
import { createRandom, hash, shuffle } from '../random/seeded-random.js'
import type { Trajectory } from '../schema/trajectory.js'
import type { UpdateRecord } from '../schema/update-record.js'
import type { SearchEngine } from '../search/search-engine.js'
import { drawQuality, noiseThreshold } from '../simulator/curriculum.js'
import type { Curriculum } from '../simulator/curriculum.js'
import { scheduleFactor } from './learning-rate.js'
import type { LearningRateSchedule } from './learning-rate.js'
import { createGrpo } from './grpo.js'
import type { GrpoStep } from './grpo.js'
import { afterOthers, untilStopped } from './one-at-a-time.js'
import { openRunFolder, resumeRun, saveRun } from './run-folder.js'

type MaybeUpdate = Partial<UpdateRecord> | undefined

export interface TrainOptions {
  algorithm: 'grpo'
  /** Trained in place. */
  policy: LocalPolicy
  /** A simulator, for ZeroSearch; real engines ignore the curriculum. */
  searchEngine: SearchEngine
  questions: readonly Question[]
  /** Default: ZeroSearch's. */
  protocol?: Protocol
  curriculum: Curriculum
  /** Batches of rollouts; one optimizer step each. */
  updates: number
  /** Default 16. */
  questionsPerUpdate?: number
  /** Trajectories of each question; default 5, as in the paper. */
  groupSize?: number
  /** Default 1e-6, as in the paper. Tiny models want several hundred times as much. */
  learningRate?: number
  /** Share of the updates over which the learning rate grows to its full value; default 0.1 (the paper's 0.95 rarely reaches it). */
  warmupRatio?: number
  /** After the warm-up: `constant`, or `linear`, down towards 0 at the end. Default `constant`, as in the paper. */
  learningRateSchedule?: LearningRateSchedule
  /** Weight of the divergence from the starting policy; default 0.001, as in the paper. */
  klCoef?: number
  /** Default 0.2. */
  clip?: number
  /** Default `token`. */
  lossAggregation?: 'token' | 'sequence'
  /** Default 1. */
  temperature?: number
  /** Default 5. */
  topK?: number
  /** Searches of a trajectory; default: the protocol's. */
  maxSearches?: number
  /** Default 1. */
  maxGradNorm?: number
  /** Default 0. */
  weightDecay?: number
  /** Default 4096. */
  microbatchTokens?: number
  /** Default false. */
  bfloat16?: boolean
  /** Questions, draws and noise repeat for a seed. Default 0. */
  seed?: number
  /** Reward of a trajectory; default F1 of its answer, as in the paper. */
  reward?: (trajectory: Trajectory) => number
  /** After each update; training waits for it. What it returns is added to the record. */
  onUpdate?: (record: UpdateRecord, trajectories: readonly Trajectory[]) => MaybeUpdate | Promise<MaybeUpdate>
  /**
   * Folder in which the run is kept when it ends, also by the stop button or an error: the policy as a model folder, the
   * records, and what it takes to go on. Default: the run is not kept.
   */
  saveTo?: string
  /** Goes on with the run in `saveTo`, as if it had never stopped. The other options must be the same. Default false. */
  resume?: boolean
  /** True replaces the run that is in `saveTo`; default false: it is refused. */
  overwrite?: boolean
  /**
   * Stops the run: the promise rejects at once, an optimizer step under way ends in the background, and then the run is
   * saved. Default: the stop button of the notebook.
   */
  signal?: AbortSignal
}

/**
 * Trains a policy to search (arXiv 2505.04588): rollouts, rewards, group advantages, one clipped step; again.
 * @returns one record for each update, those before a resumption included
 * @throws {TrainingStopped} as soon as `signal` aborts
 */
export async function train(options: TrainOptions): Promise<UpdateRecord[]> {
  if (options.questions.length === 0) throw new Error('train: there must be at least one question')
  if (options.resume && options.saveTo === undefined)
    throw new Error('train: resume needs the folder of the run, got no saveTo; name the folder')
  const { signal = interruptSignal() } = options
  const progress = { update: 1 }
  const running = afterOthers([options.policy, options.saveTo && resolve(options.saveTo)], async () => {
    const folder = options.saveTo === undefined ? undefined : await openRunFolder(options.saveTo, options)
    try {
      return await runUpdates(options, signal, progress, folder)
    } finally {
      await folder?.close()
    }
  })
  return signal ? untilStopped(running, signal, () => new TrainingStopped(progress.update, options)) : running
}

/** What a stopped training rejects with: how far it came, and how to go on. */
export class TrainingStopped extends Error {
  override name = 'TrainingStopped'

  constructor(update: number, { updates, saveTo }: Pick<TrainOptions, 'updates' | 'saveTo'>) {
    const kept =
      saveTo === undefined
        ? 'The policy keeps what it has learned; without saveTo the run is not saved'
        : `The run is then saved in ${saveTo}; \`resume: true\` goes on with it`
    super(`Stopped in update ${update} of ${updates}. An optimizer step under way ends in the background. ${kept}.`)
    // It's no fault, so its place says nothing.
    this.stack = `${this.name}: ${this.message}`
  }
}

async function runUpdates(
  options: TrainOptions,
  signal: AbortSignal | undefined,
  progress: { update: number },
  folder: FolderWriter | undefined,
): Promise<UpdateRecord[]> {
  const { policy, questions, updates } = options
  const settings = {
    updates,
    curriculum: options.curriculum,
    questionsPerUpdate: options.questionsPerUpdate ?? 16,
    groupSize: options.groupSize ?? 5,
    learningRate: options.learningRate ?? 1e-6,
    warmupRatio: options.warmupRatio ?? 0.1,
    learningRateSchedule: options.learningRateSchedule ?? 'constant',
    klCoef: options.klCoef ?? 0.001,
    clip: options.clip ?? 0.2,
    lossAggregation: options.lossAggregation ?? 'token',
    temperature: options.temperature ?? 1,
    maxGradNorm: options.maxGradNorm ?? 1,
    weightDecay: options.weightDecay ?? 0,
    microbatchTokens: options.microbatchTokens ?? 4096,
    bfloat16: options.bfloat16 ?? false,
    seed: options.seed ?? 0,
    questions: questions.length,
  } as const
  const { questionsPerUpdate, groupSize, temperature, seed } = settings
  const reward = options.reward ?? ((trajectory: Trajectory) => f1(trajectory.answer, trajectory.question.goldAnswers))
  const draw = questionDrawer(questions, seed)
  const grpo = await createGrpo(policy, settings)
  let records: UpdateRecord[] = []
  try {
    if (options.resume) records = await resumeRun(folder!.folder, policy, grpo, settings)
    for (let drawn = 0; drawn < records.length * questionsPerUpdate; drawn++) draw()
    for (let update = records.length; update < updates && !signal?.aborted; update++) {
      progress.update = update + 1
      const threshold = noiseThreshold(options.curriculum, update, updates)
      const started = performance.now()
      const asked = Array.from({ length: questionsPerUpdate }, draw)
      const items = asked.flatMap((question, i) =>
        Array.from({ length: groupSize }, (_, k) => ({ question, seed: hash(seed, update, i, k) })),
      )
      const trajectories = await rollOutMany(policy, items, {
        searchEngine: options.searchEngine,
        protocol: options.protocol ?? zerosearchProtocol,
        sampling: { temperature, topP: 1, topK: 0 },
        ...(options.topK !== undefined && { topK: options.topK }),
        ...(options.maxSearches !== undefined && { maxSearches: options.maxSearches }),
        ...(signal && { signal }),
        quality: (search, own) => drawQuality(threshold, own, search),
      })
      const rolledOut = performance.now()
      const rewards = trajectories.map(reward)
      // A question may be drawn twice in a batch; its place keeps the groups apart.
      const groups = items.map((_, i) => String(Math.floor(i / groupSize)))
      const { advantages, zeroVarianceGroups } = groupAdvantages(rewards, groups)
      const rate =
        settings.learningRate * scheduleFactor(update, updates, settings.warmupRatio, settings.learningRateSchedule)
      const played = trajectories.map((trajectory, i) => ({ trajectory, advantage: advantages[i]! }))
      // A failed rollout is no evidence about the policy.
      const whole = played.filter(({ trajectory }) => trajectory.stopReason !== 'failed')
      const step = await grpo.step(
        whole.map(({ trajectory }) => trajectory),
        whole.map(({ advantage }) => advantage),
        rate,
      )
      const record = describe(update + 1, trajectories, rewards, step)
      Object.assign(record, {
        noiseThreshold: threshold,
        learningRate: rate,
        zeroVarianceGroups,
        rolloutSeconds: (rolledOut - started) / 1000,
        updateSeconds: (performance.now() - rolledOut) / 1000,
      })
      records.push(record)
      Object.assign(record, await options.onUpdate?.(record, trajectories))
    }
  } finally {
    try {
      if (folder && records.length > 0) await saveRun(folder, policy, grpo, { settings, records })
    } finally {
      grpo.dispose()
    }
  }
  return records
}

/** Questions in a shuffled order, shuffled anew when all have been asked. */
function questionDrawer(questions: readonly Question[], seed: number): () => Question {
  const random = createRandom(hash(seed, 0x71))
  let left: Question[] = []
  return () => {
    if (left.length === 0) left = shuffle(random, questions)
    return left.pop()!
  }
}

function describe(
  update: number,
  trajectories: readonly Trajectory[],
  rewards: readonly number[],
  step: GrpoStep,
): UpdateRecord {
  const mean = (value: (trajectory: Trajectory) => number): number =>
    trajectories.reduce((sum, trajectory) => sum + value(trajectory), 0) / trajectories.length
  return {
    update,
    reward: rewards.reduce((a, b) => a + b, 0) / rewards.length,
    em: mean(({ answer, question }) => exactMatch(answer, question.goldAnswers)),
    searchesPerQuestion: mean((trajectory) => trajectory.searches),
    answered: mean((trajectory) => (trajectory.answer === null ? 0 : 1)),
    tokensPerTrajectory: mean((trajectory) => trajectory.ids.length),
    noiseThreshold: 0,
    learningRate: 0,
    zeroVarianceGroups: 0,
    rolloutSeconds: 0,
    updateSeconds: 0,
    ...step,
  }
}
