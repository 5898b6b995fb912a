import { inspect } from 'node:util'
import { z } from 'zod'
import { withProgress } from '../host/progress.js'
import type { Report } from '../host/progress.js'
import type { Conversation, Generation, Policy } from '../policy/policy.js'
import { seedSchema } from '../policy/sampling-options.js'
import { extractAnswer } from '../reward/extract-answer.js'
import { parseOptions } from '../schema/parse-options.js'
import type { Question } from '../schema/question.js'
import type { FailureBoundary, Trajectory, TrajectoryStopReason, Turn } from '../schema/trajectory.js'
import { abortable } from '../signal/abortable.js'
import { neutralize } from '../search/neutralize.js'
import { answerAction } from './answer-action.js'
import { newTrajectory } from './new-trajectory.js'
import { ACTION_ENDS, parseAction } from './parse-action.js'
import { parseRolloutOptions } from './rollout-options.js'
import type { CheckedOptions, RolloutOptions } from './rollout-options.js'

class Failure extends Error {
  constructor(
    readonly boundary: FailureBoundary,
    cause: unknown,
  ) {
    super(cause instanceof Error ? cause.message : typeof cause === 'string' ? cause : inspect(cause), { cause })
  }
}

/**
 * Plays one question to its end. A failure of policy or engine is recorded in the trajectory, not thrown.
 * @throws where an option is not what it must be, and the signal's reason once it is given
 * @example
 * const trajectory = await zs.rollOut(policy, question, { searchEngine: simulator, seed: 1 })
 * console.log(trajectory.answer, trajectory.searches, trajectory.failure)
 * await zs.display(trajectory)
 */
export async function rollOut(policy: Policy, question: Question, options: RolloutOptions): Promise<Trajectory> {
  const checked = parseRolloutOptions(options)
  // An evaluation makes hundreds of these, and counts them.
  return withProgress({ title: 'rollOut', unit: 'turns', progress: checked.progress, asPart: false }, (report) =>
    playQuestion(policy, question, checked, report),
  )
}

/**
 * Plays many questions side by side; one that waits holds up no other. The result has the order of the items.
 * @param onTrajectory Given each trajectory as it ends.
 * @throws as `rollOut` does
 * @example
 * const items = questions.map((question, i) => ({ question, seed: i }))
 * const trajectories = await zs.rollOutMany(policy, items, { searchEngine: simulator })
 * await zs.display(trajectories)
 */
export async function rollOutMany(
  policy: Policy,
  items: readonly { question: Question; seed: number }[],
  options: Omit<RolloutOptions, 'seed'>,
  onTrajectory?: (trajectory: Trajectory) => void,
): Promise<Trajectory[]> {
  // All are checked before the first one begins.
  const common = parseRolloutOptions(options)
  const seeds = parseOptions('roll out', z.object({ seeds: z.array(seedSchema) }), {
    seeds: items.map(({ seed }) => seed),
  }).seeds
  const progress = common.progress ?? onTrajectory === undefined
  return withProgress({ title: 'rollouts', unit: 'questions', total: items.length, progress }, (report) => {
    let done = 0
    return Promise.all(
      items.map(async ({ question }, i) => {
        const trajectory = await playQuestion(policy, question, { ...common, seed: seeds[i]! })
        report(++done)
        onTrajectory?.(trajectory)
        return trajectory
      }),
    )
  })
}

async function playQuestion(
  policy: Policy,
  question: Question,
  options: CheckedOptions,
  report?: Report,
): Promise<Trajectory> {
  return playOn(policy, newTrajectory(question, options.seed), options, report)
}

/**
 * Plays a trajectory to its end, from wherever it is: from nothing, or from a message that was not answered yet. A policy is given
 * all ids so far at once.
 * @param trajectory Is changed and returned.
 */
export async function playOn(
  policy: Policy,
  trajectory: Trajectory,
  options: CheckedOptions,
  report?: Report,
): Promise<Trajectory> {
  const { sampling, signal } = options
  let starting: Promise<Conversation> | undefined
  try {
    signal?.throwIfAborted()
    starting = policy.start(sampling, trajectory.seed)
    const conversation = await abortable(starting, signal)
    trajectory.stopReason = await play(policy, conversation, trajectory, options, report)
  } catch (error) {
    if (signal?.aborted) throw signal.reason
    const failure = error instanceof Failure ? error : new Failure('policy', error)
    trajectory.stopReason = 'failed'
    trajectory.failure = { boundary: failure.boundary, message: failure.message }
  } finally {
    // A conversation that starts after the end is given back as well.
    starting?.then(
      (conversation) => conversation.end(),
      () => undefined,
    )
  }
  trajectory.answer = extractAnswer(trajectory.turns.map((turn) => turn.text))
  return trajectory
}

async function play(
  policy: Policy,
  conversation: Conversation,
  trajectory: Trajectory,
  options: CheckedOptions,
  report?: Report,
): Promise<TrajectoryStopReason> {
  const { protocol, signal, maxSearches } = options
  const { maxTokensPerTurn } = protocol
  const maxIds = Math.min(protocol.maxTokens, policy.contextLength)
  const last = trajectory.turns.at(-1)
  const begun = last
    ? await observe(policy, last, trajectory, options, maxIds)
    : promptIds(policy, trajectory, options, maxIds)
  if (!begun) return 'maxTokens'
  let next = begun
  // What the conversation has not seen yet.
  let unseen = [...trajectory.ids, ...begun]
  // Every turn but the last may be answered: with documents, or with a correction.
  for (;;) {
    const maxTokens = Math.min(maxTokensPerTurn, maxIds - trajectory.ids.length - next.length)
    const generating = conversation.generate(unseen, { maxTokens, stop: ACTION_ENDS })
    const generation = await abortable(generating, signal)
    append(trajectory, next)
    appendSampled(trajectory, generation)
    const turn: Turn = { text: generation.text, action: parseAction(generation.text) }
    trajectory.turns.push(turn)
    report?.(trajectory.turns.length)
    if (turn.action.kind === 'answer') return 'answer'
    if (generation.stopReason === 'full') return 'maxTokens'
    if (trajectory.turns.length > maxSearches) return 'maxTurns'
    const observed = await observe(policy, turn, trajectory, options, maxIds)
    if (!observed) return 'maxTokens'
    unseen = next = observed
  }
}

function promptIds(policy: Policy, trajectory: Trajectory, { protocol }: CheckedOptions, maxIds: number): number[] {
  const { tokenizer } = policy
  const prompt = protocol.prompt(tokenizer, neutralize(trajectory.question.question, tokenizer))
  trajectory.promptLength = prompt.length
  if (prompt.length >= maxIds) {
    throw new Error(
      `roll out: the prompt must leave room to answer in ${maxIds} ids, got ${prompt.length}; ` +
        'a question is never cut: take a policy with a longer context, or leave this question out',
    )
  }
  return prompt
}

/** Answers a message of the policy. @returns the ids of what follows it; undefined where it does not fit */
async function observe(
  policy: Policy,
  turn: Turn,
  trajectory: Trajectory,
  options: CheckedOptions,
  maxIds: number,
): Promise<number[] | undefined> {
  // After the observation there must be room for one more whole message.
  const maxObservationIds = maxIds - trajectory.ids.length - options.protocol.maxTokensPerTurn
  const observing = answerAction(policy, turn, trajectory, options, maxObservationIds)
  const observed = await abortable(observing, options.signal).catch((error: unknown) => {
    throw new Failure('search', error)
  })
  if (!observed) return undefined
  turn.observation = observed.observation
  return observed.ids
}

function append(trajectory: Trajectory, ids: readonly number[]): void {
  for (const id of ids) push(trajectory, id, 0, 0)
}

function appendSampled(trajectory: Trajectory, { ids, logprobs }: Generation): void {
  if (ids.length !== logprobs.length) {
    throw new Error(
      `roll out: the policy must give one log-probability for each id, got ${logprobs.length} for ${ids.length}`,
    )
  }
  ids.forEach((id, i) => push(trajectory, id, 1, logprobs[i]!))
}

function push({ ids, lossMask, logprobs }: Trajectory, id: number, mask: number, logprob: number): void {
  ids.push(id)
  lossMask.push(mask)
  logprobs.push(logprob)
}
