import { inspect } from 'node:util'
import { z } from 'zod'
import type { Completion, CompletionOptions, LanguageModel } from '../../language-model/language-model.js'
import { hash } from '../../random/seeded-random.js'
import { newTrajectory } from '../../rollout/new-trajectory.js'
import type { Document } from '../../schema/document.js'
import { parseOptions } from '../../schema/parse-options.js'
import type { Question } from '../../schema/question.js'
import { documentSchema } from '../../schema/record-schemas.js'
import type {
  Action,
  Expense,
  FailureBoundary,
  Trajectory,
  TrajectoryStopReason,
  Turn,
} from '../../schema/trajectory.js'
import type { SearchEngine } from '../../search/search-engine.js'
import { abortable } from '../../signal/abortable.js'
import type { Message } from '../../tokenizer/tokenizer.js'
import type { AnswerContext } from '../method.js'

/** How a question ended. */
export interface Ending {
  answer: string | null
  stopReason: Exclude<TrajectoryStopReason, 'failed'>
}

class Failure extends Error {
  constructor(
    readonly boundary: FailureBoundary,
    cause: unknown,
  ) {
    super(cause instanceof Error ? cause.message : typeof cause === 'string' ? cause : inspect(cause), { cause })
  }
}

const found = z.object({ documents: z.array(documentSchema) })

/** One question in work: what a method asks models and engines for goes through here, and is counted. */
export class Attempt {
  readonly trajectory: Trajectory
  readonly spent: Expense = { searches: 0, turns: 0, tokens: 0, pages: 0 }
  readonly signal: AbortSignal
  readonly seed: number

  constructor(
    readonly question: Question,
    { seed, signal }: AnswerContext,
  ) {
    this.signal = signal
    this.seed = seed
    this.trajectory = newTrajectory(question, seed)
  }

  /** Asks a model. `place` tells calls of one question apart, so that their draws differ and repeat. */
  async complete(
    model: LanguageModel,
    prompt: string | Message[],
    options: Omit<CompletionOptions, 'seed' | 'signal' | 'onText'>,
    ...place: number[]
  ): Promise<Completion> {
    const { signal } = this
    this.spent.turns++
    const completion = await this.guard('policy', () =>
      model.complete(prompt, { ...options, seed: hash(this.seed, ...place), signal }),
    )
    this.spent.tokens += completion.completionTokens
    if (completion.cost !== undefined) this.spent.cost = (this.spent.cost ?? 0) + completion.cost
    return completion
  }

  /**
   * The best documents for a query. What an engine gives is checked as any input. `place` is needed where searches run side
   * by side; default: how many went before.
   */
  async search(searchEngine: SearchEngine, query: string, topK: number, ...place: number[]): Promise<Document[]> {
    const { question, signal } = this
    const before = this.spent.searches++
    const seed = hash(this.seed, ...(place.length > 0 ? place : [before]))
    const documents: unknown = await this.guard('search', () =>
      searchEngine.search(query, { question, topK, seed, signal }),
    )
    return this.guard('search', () => parseOptions('search', found, { documents }).documents.slice(0, topK))
  }

  /** What runs is given up with the signal; what fails is a failure of this kind. */
  async guard<T>(boundary: FailureBoundary, run: () => T | Promise<T>): Promise<T> {
    this.signal.throwIfAborted()
    try {
      return await abortable(
        // Foreign code may throw at once.
        new Promise<T>((resolve) => resolve(run())),
        this.signal,
      )
    } catch (error) {
      this.signal.throwIfAborted()
      throw error instanceof Failure ? error : new Failure(boundary, error)
    }
  }

  /** Adds a message to the trajectory. What follows it is put into the turn. */
  say(text: string, action: Action): Turn {
    const turn: Turn = { text, action }
    this.trajectory.turns.push(turn)
    return turn
  }
}

/** Plays one question. A failure is recorded, with what was said before it; the signal's reason is thrown. */
export async function attempt(
  question: Question,
  context: AnswerContext,
  budget: Partial<Expense>,
  play: (attempt: Attempt) => Promise<Ending>,
): Promise<Trajectory> {
  const running = new Attempt(question, context)
  const { trajectory, spent } = running
  let ending: Pick<Trajectory, 'answer' | 'stopReason' | 'failure'>
  try {
    context.signal.throwIfAborted()
    ending = await play(running)
    context.signal.throwIfAborted()
  } catch (error) {
    context.signal.throwIfAborted()
    const { boundary, message } = error instanceof Failure ? error : new Failure('policy', error)
    ending = { answer: null, stopReason: 'failed', failure: { boundary, message } }
  }
  return { ...trajectory, ...ending, searches: spent.searches, spent: { ...spent }, budget }
}
