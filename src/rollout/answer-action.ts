import { z } from 'zod'
import type { Policy } from '../policy/policy.js'
import { hash } from '../random/seeded-random.js'
import { parseOptions } from '../schema/parse-options.js'
import { documentSchema } from '../schema/record-schemas.js'
import type { Observation, Trajectory, Turn } from '../schema/trajectory.js'
import { neutralizeDocument } from '../search/neutralize.js'
import { fitObservation } from './fit-observation.js'
import type { CheckedOptions } from './rollout-options.js'

const found = z.object({ documents: z.array(documentSchema) })

/** An observation and its ids. */
export interface EncodedObservation {
  observation: Observation
  ids: number[]
}

/**
 * The answer to a policy's message: documents for a search, else the correction. Rejects where the engine does.
 * @param maxIds Ids that the trajectory still holds for it.
 * @returns undefined where it does not fit; a search is not made then.
 */
export async function answerAction(
  policy: Policy,
  turn: Turn,
  trajectory: Trajectory,
  options: CheckedOptions,
  maxIds: number,
): Promise<EncodedObservation | undefined> {
  const { tokenizer } = policy
  const { protocol, searchEngine, topK, signal } = options
  if (turn.action.kind !== 'search') {
    const ids = tokenizer.encode(protocol.correction)
    return ids.length > maxIds ? undefined : { observation: { text: protocol.correction, documents: [] }, ids }
  }
  const empty = tokenizer.encode(protocol.observation([]))
  if (empty.length > maxIds) return undefined
  const { question, seed } = trajectory
  const search = trajectory.searches++
  const quality = options.quality?.(search, seed)
  let unread: string | undefined
  const context = {
    question,
    topK,
    seed: hash(seed, search),
    ...(quality && { quality }),
    ...(signal && { signal }),
    onUnread: (text: string): void => void (unread = text),
  }
  const answer: unknown = await searchEngine.search(turn.action.query, context)
  // An engine is foreign code, often behind HTTP: what it gives is checked like any input.
  const documents = parseOptions('search', found, { documents: answer }).documents.slice(0, topK)
  const harmless = documents.map((document) => neutralizeDocument(document, tokenizer))
  const limit = Math.max(empty.length, Math.min(protocol.maxObservationTokens, maxIds))
  const { text, ids } = fitObservation(tokenizer, protocol.observation(harmless), limit)
  return { observation: { text, documents, ...(quality && { quality }), ...(unread !== undefined && { unread }) }, ids }
}
