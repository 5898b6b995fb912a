import { z } from 'zod'
import type { Method } from '../evaluation/method.js'
import { zeroSearchMethod } from '../evaluation/methods/zerosearch.js'
import type { LanguageModel } from '../language-model/language-model.js'
import type { Policy } from '../policy/policy.js'
import { positiveInteger, seedSchema } from '../policy/sampling-options.js'
import { aFunction, anAbortSignal, anObject, parseOptions } from '../schema/parse-options.js'
import type { Question } from '../schema/question.js'
import { questionSchema } from '../schema/record-schemas.js'
import type { SearchEngine } from '../search/search-engine.js'
import { simulatorPrompt } from '../simulator/prompts.js'
import type { SimulatorPrompt } from '../simulator/prompts.js'
import { judgeSchema } from './judge.js'
import type { MetricJudge, TrajectoryJudge } from './judge.js'
import type { UsefulIf } from './label.js'

/** How a question is played: any evaluation method, made for the model and the engine that it is given. */
export type PlayerMethod = (model: LanguageModel & Policy, options: { searchEngine: SearchEngine }) => Method

/** Options of `buildSimulatorData`. */
export interface SimulatorDataOptions {
  /** The LLM that plays: a local one, or one behind a server. */
  model: LanguageModel | Policy
  /** What answers its searches: the engine that the simulator is to resemble. */
  searchEngine: SearchEngine
  /** What is asked. Each needs an id of its own. */
  questions: readonly Question[]
  /** Folder of the data. */
  saveTo: string
  /**
   * How a question is played: `zs.ragMethod`, `zs.searchO1Method`, or a function that makes a method. It is made anew for each
   * attempt. Default: `zeroSearchMethod` at temperature 1.
   */
  method?: PlayerMethod
  /** How often each question is played. More than one wants a method that draws. Default 1. */
  rollouts?: number
  /** Tells right trajectories from wrong ones. Default `{ metric: 'f1', atLeast: 0.8 }`. */
  judge?: TrajectoryJudge | MetricJudge
  /** How the simulator will be asked; examples hold the same prompt. Default: SFT mode, about as many `words`. */
  prompt?: SimulatorPrompt
  /** Longer documents are cut to so many words, the answer among them. Default 30, as in the paper; Infinity cuts nothing. */
  words?: number
  /**
   * Where the answer must stand for the documents of a right trajectory to be useful: among those of the same `search`, or of any
   * of the `trajectory`, which takes the first hops of a question too. Default `search`.
   */
  usefulIf?: UsefulIf
  /** Most examples of one question and quality; default 8. */
  maxPerQuestion?: number
  /** As many useful as noisy examples; the rest is left out. Default true. */
  balance?: boolean
  /** Share of the questions that is held out; default 0.1. */
  heldOut?: number
  /** Questions that are played at a time; default 32. */
  concurrency?: number
  /** Where a larger share of the attempts fails, it stops; default 0.5. */
  maxFailedShare?: number
  /** Makes draws repeat. Default 0. */
  seed?: number
  /**
   * Goes on with what `saveTo` holds: attempts that did not fail are not played again, and what the same judge said is not asked
   * again. Judge, labels, split and questions may be others than before. Default false.
   */
  resume?: boolean
  /** True replaces the data in `saveTo`; default false: it is refused. */
  overwrite?: boolean
  /** Shows a bar with the time left. Default true. */
  progress?: boolean
  /** Stops: what was played is kept, and `resume: true` goes on. Default: the stop button of the notebook. */
  signal?: AbortSignal
}

/** Options with their defaults. */
export type CheckedSimulatorData = Required<Omit<SimulatorDataOptions, 'signal' | 'progress'>> &
  Pick<SimulatorDataOptions, 'signal' | 'progress'>

const isModel = (value: unknown): boolean => {
  const { complete, start, name } = (value ?? {}) as Record<string, unknown>
  return typeof name === 'string' && (typeof complete === 'function' || typeof start === 'function')
}

const sampledZeroSearch: PlayerMethod = (model, { searchEngine }) =>
  zeroSearchMethod(model, { searchEngine, sampling: { temperature: 1, topP: 1, topK: 0 } })

const share = z.number().min(0).max(1)

/** Rules and defaults of what is plain data. */
export const collectingShape = {
  rollouts: positiveInteger.default(1),
  words: z.union([positiveInteger, z.literal(Infinity)], 'must be a positive integer or Infinity').default(30),
  usefulIf: z.enum(['search', 'trajectory']).default('search'),
  maxPerQuestion: positiveInteger.default(8),
  balance: z.boolean().default(true),
  heldOut: share.lt(1).default(0.1),
  concurrency: positiveInteger.default(32),
  maxFailedShare: share.default(0.5),
  seed: seedSchema.default(0),
  resume: z.boolean().default(false),
  overwrite: z.boolean().default(false),
}

const schema = z.strictObject({
  ...collectingShape,
  model: z.custom<LanguageModel | Policy>(isModel, 'must be a language model or a policy'),
  searchEngine: anObject<SearchEngine>('a search engine', ['search']),
  questions: z.array(questionSchema).min(1),
  saveTo: z.string().min(1),
  method: aFunction<PlayerMethod>().default(() => sampledZeroSearch),
  judge: judgeSchema.default({ metric: 'f1' }),
  prompt: anObject<SimulatorPrompt>('a simulator prompt', ['render']).optional(),
  progress: z.boolean().optional(),
  signal: anAbortSignal().optional(),
})

/** Begins messages. */
export const OPERATION = 'build simulator data'

/** @throws {Error} on the first option that has no sense */
export function parseSimulatorData(given: SimulatorDataOptions): CheckedSimulatorData {
  const { prompt, ...options } = parseOptions(OPERATION, schema, given)
  if (options.resume && options.overwrite) {
    throw new Error(
      `${OPERATION}: resume and overwrite cannot both be true; resume goes on with what overwrite deletes`,
    )
  }
  const ids = new Set<string>()
  for (const { id } of options.questions) {
    if (ids.has(id)) throw new Error(`${OPERATION}: questions must have ids of their own, got ${id} twice`)
    ids.add(id)
  }
  const { words } = options
  return {
    ...options,
    prompt: prompt ?? simulatorPrompt({ mode: 'sft', ...(Number.isFinite(words) && { words }) }),
  } as CheckedSimulatorData
}
