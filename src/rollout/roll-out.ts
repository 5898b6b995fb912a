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
  const { sampling, seed, signal } = options
  const trajectory = newTrajectory(question, seed)
  let starting: Promise<Conversation> | undefined
  try {
    signal?.throwIfAborted()
    starting = policy.start(sampling, seed)
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
  const { tokenizer } = policy
  const maxIds = Math.min(protocol.maxTokens, policy.contextLength)
  const prompt = protocol.prompt(tokenizer, neutralize(trajectory.question.question, tokenizer))
  trajectory.promptLength = prompt.length
  if (prompt.length >= maxIds) {
    throw new Error(
      `roll out: the prompt must leave room to answer in ${maxIds} ids, got ${prompt.length}; ` +
        'a question is never cut: take a policy with a longer context, or leave this question out',
    )
  }
  let next = prompt
  // Every turn but the last may be answered: with documents, or with a correction.
  for (let turns = 0; ; turns++) {
    const maxTokens = Math.min(maxTokensPerTurn, maxIds - trajectory.ids.length - next.length)
    const generating = conversation.generate(next, { maxTokens, stop: ACTION_ENDS })
    const generation = await abortable(generating, signal)
    append(trajectory, next)
    appendSampled(trajectory, generation)
    const turn: Turn = { text: generation.text, action: parseAction(generation.text) }
    trajectory.turns.push(turn)
    report?.(trajectory.turns.length)
    if (turn.action.kind === 'answer') return 'answer'
    if (generation.stopReason === 'full') return 'maxTokens'
    if (turns === maxSearches) return 'maxTurns'
    // After the observation there must be room for one more whole message.
    const maxObservationIds = maxIds - trajectory.ids.length - maxTokensPerTurn
    const observing = answerAction(policy, turn, trajectory, options, maxObservationIds)
    const observed = await abortable(observing, signal).catch((error: unknown) => {
      throw new Failure('search', error)
    })
    if (!observed) return 'maxTokens'
    turn.observation = observed.observation
    next = observed.ids
  }
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
