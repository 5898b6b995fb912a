import type { Policy } from '../../policy/policy.js'
import { rollOut } from '../../rollout/roll-out.js'
import { parseRolloutOptions } from '../../rollout/rollout-options.js'
import type { RolloutOptions } from '../../rollout/rollout-options.js'
import { GREEDY } from '../method.js'
import type { Method } from '../method.js'

/**
 * A policy that may search. Sampling defaults to greedy, all else as in `rollOut`.
 * @throws if an option is not what it must be
 * @example
 * const method = zs.policyMethod('trained', policy, { searchEngine: engine })
 * const scores = await zs.evaluate({ methods: [method], questions })
 */
export function policyMethod(name: string, policy: Policy, options: Omit<RolloutOptions, 'seed' | 'signal'>): Method {
  // Now, not at the first question.
  const { maxSearches, protocol, searchEngine, topK, quality } = parseRolloutOptions(options)
  const turns = maxSearches + 1
  const budget = { searches: maxSearches, turns, tokens: turns * protocol.maxTokensPerTurn, pages: 0 }
  return {
    name,
    budget,
    settings: { policy, searchEngine, topK, maxSearches, protocol, sampling: options.sampling ?? GREEDY, quality },
    async answer(question, context) {
      const played = await rollOut(policy, question, { ...options, sampling: options.sampling ?? GREEDY, ...context })
      const tokens = played.lossMask.reduce<number>((sum, mask) => sum + mask, 0)
      return { ...played, spent: { searches: played.searches, turns: played.turns.length, tokens, pages: 0 }, budget }
    },
  }
}
