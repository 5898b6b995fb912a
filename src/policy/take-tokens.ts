import type { Tokenizer } from '../tokenizer/tokenizer.js'
import type { Generation, GenerationLimits } from './policy.js'

/**
 * How many of freshly sampled tokens belong to the generation, and whether it ends with them.
 * @param earlier Ids of this generation so far.
 * @param contextLeft Ids that the context still holds.
 * @returns `text` only where the generation ends
 */
export function takeTokens(
  tokenizer: Tokenizer,
  earlier: readonly number[],
  tokens: readonly number[],
  limits: GenerationLimits,
  contextLeft: number,
): { count: number; stopReason: Generation['stopReason'] | undefined; text: string } {
  const budget = limits.maxTokens - earlier.length
  const allowed = Math.min(tokens.length, budget, contextLeft)
  const found = tokens.slice(0, allowed).findIndex((token) => tokenizer.eosIds.includes(token))
  const ended = found >= 0
  const beforeEos = ended ? found : allowed
  const stop = firstStop(tokenizer, earlier, tokens.slice(0, beforeEos), limits.stop)
  if (stop !== undefined) return { count: stop.count, stopReason: 'stop', text: stop.text }
  const text = (count: number): string => tokenizer.decode([...earlier, ...tokens.slice(0, count)])
  if (ended) return { count: found + 1, stopReason: 'eos', text: text(found) }
  if (allowed === budget) return { count: allowed, stopReason: 'length', text: text(allowed) }
  if (allowed === contextLeft) return { count: allowed, stopReason: 'full', text: text(allowed) }
  return { count: allowed, stopReason: undefined, text: '' }
}

/** The shortest run of new tokens after which the text holds a stop string. */
function firstStop(
  tokenizer: Tokenizer,
  earlier: readonly number[],
  tokens: readonly number[],
  stop: readonly string[],
): { count: number; text: string } | undefined {
  if (stop.length === 0 || tokens.length === 0) return undefined
  const holds = (text: string): boolean => stop.some((s) => text.includes(s))
  if (!holds(tokenizer.decode([...earlier, ...tokens]))) return undefined
  for (let count = 1; count <= tokens.length; count++) {
    const text = tokenizer.decode([...earlier, ...tokens.slice(0, count)])
    if (holds(text)) return { count, text }
  }
  return undefined
}
