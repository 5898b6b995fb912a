import type { Policy } from '../policy/policy.js'
import type { Document, Quality } from '../schema/document.js'
import { hash } from '../schema/seeded-random.js'
import type { Observation, Trajectory, Turn } from '../schema/trajectory.js'
import { neutralize } from '../search/neutralize.js'
import type { SearchEngine } from '../search/search-engine.js'
import { CLOSE_INFORMATION } from './protocol.js'
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
  const text = protocol.observation(documents.map(harmless))
  const limit = Math.max(empty.length, Math.min(protocol.maxObservationTokens, room))
  const whole = tokenizer.encode(text)
  const ids = whole.length <= limit ? whole : cut(policy, text, limit)
  const seen = ids === whole ? text : tokenizer.decode(ids)
  return { observation: { text: seen, documents, ...(quality && { quality }) }, ids }
}

function harmless(document: Document): Document {
  const { title, text } = document
  return { ...document, text: neutralize(text), ...(title !== undefined && { title: neutralize(title) }) }
}

/** Cut at the end of the documents, so that question and earlier turns stay; the closing tag stays as well. */
function cut({ tokenizer }: Policy, text: string, limit: number): number[] {
  const end = text.lastIndexOf(CLOSE_INFORMATION)
  const close = tokenizer.encode(text.slice(end))
  return [...tokenizer.encode(text.slice(0, end)).slice(0, limit - close.length), ...close]
}
