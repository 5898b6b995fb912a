import type { Policy } from '../policy/policy.js'
import type { Quality } from '../schema/document.js'
import { hash } from '../random/seeded-random.js'
import type { Observation, Trajectory, Turn } from '../schema/trajectory.js'
import { neutralizeDocument } from '../search/neutralize.js'
import type { SearchEngine } from '../search/search-engine.js'
import { fitObservation } from './fit-observation.js'
import type { Protocol } from './protocol.js'

/** How a rollout searches. */
export interface SearchOptions {
  searchEngine: SearchEngine
  /** Documents per search; default 5. */
  topK?: number
  /** Quality that a simulator is asked for, for each search (from 0) of a trajectory with its seed. */
  quality?: (search: number, seed: number) => Quality
}

/** An observation and its ids. */
export interface EncodedObservation {
  observation: Observation
  ids: number[]
}

/**
 * The answer to a policy's message: documents for a search, else the correction. Rejects where the engine does.
 * @param room Ids that the trajectory still holds for it.
 * @returns undefined where there is no room; a search is not made then.
 */
export async function observe(
  policy: Policy,
  turn: Turn,
  trajectory: Trajectory,
  protocol: Protocol,
  options: SearchOptions,
  room: number,
): Promise<EncodedObservation | undefined> {
  const { tokenizer } = policy
  if (turn.action.kind !== 'search') {
    const ids = tokenizer.encode(protocol.correction)
    return ids.length > room ? undefined : { observation: { text: protocol.correction, documents: [] }, ids }
  }
  const empty = tokenizer.encode(protocol.observation([]))
  if (empty.length > room) return undefined
  const { searchEngine, topK = 5 } = options
  const { question, seed } = trajectory
  const search = trajectory.searches++
  const quality = options.quality?.(search, seed)
  const context = { question, topK, seed: hash(seed, search), ...(quality && { quality }) }
  const documents = (await searchEngine.search(turn.action.query, context)).slice(0, topK)
  const limit = Math.max(empty.length, Math.min(protocol.maxObservationTokens, room))
  const { text, ids } = fitObservation(tokenizer, protocol.observation(documents.map(neutralizeDocument)), limit)
  return { observation: { text, documents, ...(quality && { quality }) }, ids }
}
