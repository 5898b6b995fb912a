import { z } from 'zod'
import { samplingSchema, positiveInteger, seedSchema } from '../policy/sampling-options.js'
import type { Sampling } from '../policy/policy.js'
import { aFunction, anAbortSignal, anObject, parseOptions } from '../schema/parse-options.js'
import type { Quality } from '../schema/document.js'
import type { SearchEngine } from '../search/search-engine.js'
import { interruptSignal } from '../host/jupyter.js'
import { zerosearchProtocol } from './protocol.js'
import type { Protocol } from './protocol.js'

/** How a policy plays, and with which search engine. */
export interface RolloutOptions {
  /** What answers searches: a simulator, BM25, or one of your own. */
  searchEngine: SearchEngine
  /** Documents per search; default 5. */
  topK?: number
  /** Quality that a simulator is asked for, for each search (from 0) of a trajectory with its seed. Default useful. */
  quality?: (search: number, seed: number) => Quality
  /** Prompt, tags and limits. Default: ZeroSearch's. */
  protocol?: Protocol
  /** How the policy's tokens are drawn. Default: temperature 1, nothing cut off. */
  sampling?: Sampling
  /** Makes draws and noise repeat. Default 0. */
  seed?: number
  /** Most searches; 0 is closed book. Default: the protocol's. */
  maxSearches?: number
  /**
   * Gives up at once, even where a search never answers: the rollout rejects with the signal's reason. Default: the stop
   * button of the notebook.
   */
  signal?: AbortSignal
  /** Shows how far it is where it takes longer than a second. Default: true, unless `rollOutMany` has `onTrajectory`. */
  progress?: boolean
}

/** The options with their defaults. */
export type CheckedOptions = Required<Omit<RolloutOptions, 'quality' | 'signal' | 'progress'>> &
  Pick<RolloutOptions, 'progress'> & {
    quality?: (search: number, seed: number) => Quality | undefined
    signal: AbortSignal | undefined
  }

const count = z.int().min(0)

const options = z.strictObject({
  searchEngine: anObject<SearchEngine>('a search engine', ['search']),
  topK: positiveInteger.default(5),
  quality: aFunction<NonNullable<RolloutOptions['quality']>>().exactOptional(),
  protocol: anObject<Protocol>('a protocol', ['prompt', 'observation']).default(zerosearchProtocol),
  sampling: samplingSchema.default({ temperature: 1, topP: 1, topK: 0 }),
  seed: seedSchema.default(0),
  maxSearches: count.exactOptional(),
  signal: anAbortSignal().exactOptional(),
  progress: z.boolean().exactOptional(),
})

const limits = z.object({
  maxSearches: count,
  maxTokensPerTurn: positiveInteger,
  maxObservationTokens: positiveInteger,
  maxTokens: positiveInteger,
})

/** The protocol's limits, or what is wrong with them as an error. */
export const parseLimits = (operation: string, protocol: Protocol): z.infer<typeof limits> =>
  parseOptions(`${operation}: protocol`, limits, protocol)

/** Checked options of a rollout, or what is wrong with them as an error. */
export function parseRolloutOptions(given: unknown): CheckedOptions {
  const { signal, maxSearches, ...rest } = parseOptions('roll out', options, given)
  const protocol = parseLimits('roll out', rest.protocol)
  return { ...rest, maxSearches: maxSearches ?? protocol.maxSearches, signal: signal ?? interruptSignal() }
}
