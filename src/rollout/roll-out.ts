import type { Conversation, Generation, Policy, Sampling } from '../policy/policy.js'
import { extractAnswer } from '../reward/extract-answer.js'
import type { Document, Quality } from '../schema/document.js'
import type { Question } from '../schema/question.js'
import { hash } from '../schema/seeded-random.js'
import type { FailureBoundary, Observation, Trajectory, Turn } from '../schema/trajectory.js'
import type { SearchEngine } from '../search/search-engine.js'
import { ACTION_ENDS, neutralize, parseAction } from './parse-action.js'
import { CLOSE_INFORMATION, zerosearchProtocol } from './protocol.js'
import type { Protocol } from './protocol.js'

export interface RolloutOptions {
  searchEngine: SearchEngine
  /** Default: ZeroSearch's. */
  protocol?: Protocol
  /** Default: temperature 1, nothing cut off. */
  sampling?: Sampling
  /** Makes draws and noise repeat. Default 0. */
  seed?: number
  /** Documents per search; default 5. */
  topK?: number
  /** Overrides the protocol's; 0 is closed book. */
  maxSearches?: number
  /** Quality that a simulator is asked for, for each search (from 0) of a trajectory with its seed. */
  quality?: (search: number, seed: number) => Quality
}

class Failure extends Error {
  constructor(
    readonly boundary: FailureBoundary,
    cause: unknown,
  ) {
    super(cause instanceof Error ? cause.message : String(cause))
  }
}

/** Plays one question to its end. A failure of policy or engine is recorded in the trajectory, not thrown. */
export async function rollOut(policy: Policy, question: Question, options: RolloutOptions): Promise<Trajectory> {
  const { protocol = zerosearchProtocol, sampling = { temperature: 1, topP: 1, topK: 0 }, seed = 0 } = options
  const prompt = protocol.prompt(policy.tokenizer, question.question)
  const trajectory: Trajectory = {
    question,
    turns: [],
    ids: [],
    lossMask: [],
    logprobs: [],
    promptLength: prompt.length,
    answer: null,
    stopReason: 'maxTurns',
    searches: 0,
    seed,
  }
  let conversation: Conversation | undefined
  try {
    conversation = await policy.start(sampling, seed)
    await play(policy, conversation, prompt, trajectory, protocol, options)
  } catch (error) {
    const failure = error instanceof Failure ? error : new Failure('policy', error)
    trajectory.stopReason = 'failed'
    trajectory.failure = { boundary: failure.boundary, message: failure.message }
  } finally {
    conversation?.end()
  }
  trajectory.answer = extractAnswer(trajectory.turns.map((turn) => turn.text))
  return trajectory
}

/** Plays many questions side by side; one that waits holds up no other. The result has the order of the items. */
export function rollOutMany(
  policy: Policy,
  items: readonly { question: Question; seed: number }[],
  options: Omit<RolloutOptions, 'seed'>,
  onTrajectory?: (trajectory: Trajectory) => void,
): Promise<Trajectory[]> {
  return Promise.all(
    items.map(async ({ question, seed }) => {
      const trajectory = await rollOut(policy, question, { ...options, seed })
      onTrajectory?.(trajectory)
      return trajectory
    }),
  )
}

async function play(
  policy: Policy,
  conversation: Conversation,
  prompt: number[],
  trajectory: Trajectory,
  protocol: Protocol,
  options: RolloutOptions,
): Promise<void> {
  const maxSearches = options.maxSearches ?? protocol.maxSearches
  let next = prompt
  // Every turn but the last may be answered: with documents, or with a correction.
  for (let turns = 0; turns <= maxSearches; turns++) {
    const limits = { maxTokens: protocol.maxTokensPerTurn, stop: ACTION_ENDS }
    const generation = await conversation.generate(next, limits).catch((error: unknown) => {
      throw new Failure('policy', error)
    })
    append(trajectory, next)
    appendSampled(trajectory, generation)
    const turn: Turn = { text: generation.text, action: parseAction(generation.text) }
    trajectory.turns.push(turn)
    if (turn.action.kind === 'answer') {
      trajectory.stopReason = 'answer'
      return
    }
    if (generation.stopReason === 'full') {
      trajectory.stopReason = 'maxTokens'
      return
    }
    if (turns === maxSearches) return
    turn.observation = await observe(turn, trajectory, protocol, options)
    next = encodeObservation(policy, turn.observation.text, protocol)
  }
}

async function observe(
  turn: Turn,
  trajectory: Trajectory,
  protocol: Protocol,
  options: RolloutOptions,
): Promise<Observation> {
  if (turn.action.kind !== 'search') return { text: protocol.correction, documents: [] }
  const { searchEngine, topK = 5 } = options
  const { question, seed } = trajectory
  const search = trajectory.searches++
  const quality = options.quality?.(search, seed)
  let documents: Document[]
  try {
    const context = { question, topK, seed: hash(seed, search), ...(quality && { quality }) }
    documents = await searchEngine.search(turn.action.query, context)
  } catch (error) {
    throw new Failure('search', error)
  }
  const harmless = documents.map((document) => ({
    ...document,
    ...(document.title !== undefined && { title: neutralize(document.title) }),
    text: neutralize(document.text),
  }))
  return { text: protocol.observation(harmless), documents, ...(quality && { quality }) }
}

/** Cut at the end where it is too long, so that question and earlier turns stay; the closing tag stays as well. */
function encodeObservation(policy: Policy, text: string, protocol: Protocol): number[] {
  const ids = policy.tokenizer.encode(text)
  if (ids.length <= protocol.maxObservationTokens) return ids
  const close = policy.tokenizer.encode(text.slice(text.lastIndexOf(CLOSE_INFORMATION)))
  return [...ids.slice(0, protocol.maxObservationTokens - close.length), ...close]
}

function append(trajectory: Trajectory, ids: readonly number[]): void {
  trajectory.ids.push(...ids)
  trajectory.lossMask.push(...ids.map(() => 0))
  trajectory.logprobs.push(...ids.map(() => 0))
}

function appendSampled(trajectory: Trajectory, generation: Generation): void {
  trajectory.ids.push(...generation.ids)
  trajectory.lossMask.push(...generation.ids.map(() => 1))
  trajectory.logprobs.push(...generation.logprobs)
}
