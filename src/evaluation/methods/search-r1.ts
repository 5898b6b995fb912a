import type { LanguageModel } from '../../language-model/language-model.js'
import type { Policy } from '../../policy/policy.js'
import { CLOSE_INFORMATION, instructed, zerosearchProtocol } from '../../rollout/protocol.js'
import type { Protocol } from '../../rollout/protocol.js'
import type { Method } from '../method.js'
import { tagLoopMethod } from './tag-loop.js'
import type { TagLoopOptions } from './tag-loop.js'

/** Search-R1's protocol (arXiv 2503.09516, algorithm 1 and table 1): four actions, observations of 500 tokens. */
export const searchR1Protocol: Protocol = {
  ...zerosearchProtocol,
  name: 'search-r1',
  observation: (documents) => {
    const list = documents.map(({ title, text }, i) => `Doc ${i + 1}(Title: ${title ?? ''}) ${text}\n`)
    return `\n\n<information>${list.join('')}${CLOSE_INFORMATION}\n\n`
  },
  maxSearches: 4,
  maxObservationTokens: 500,
}

/**
 * Search-R1: a policy trained by RL with a real engine writes `<search>`, reads `<information>` and writes `<answer>`. Its
 * name is `search-r1`; give `name` to a model that was not trained so.
 *
 * It follows Search-R1 (arXiv 2503.09516, section 3, algorithm 1; search_r1/llm_agent/generation.py): the first complete
 * search or answer decides, an invalid message spends budget too and gets a correction, after the budget comes one last
 * message, which is not searched; three documents. Departures: the wording of instruction and correction is ours; the stop
 * string that comes first ends a message (upstream's `</search>` cuts even after `</answer>`); the answer is read from the
 * policy's own text; there is always a budget, which upstream's infer.py has not. A model that is no local policy is asked as
 * a chat, documents as the user's messages.
 * @throws where an option is not what it must be
 * @example
 * const method = zs.searchR1Method(policy, { searchEngine: engine })
 * const scores = await zs.evaluate({ methods: [method], questions })
 */
export function searchR1Method(model: LanguageModel | Policy, options: TagLoopOptions): Method {
  const defaults = { name: 'search-r1', topK: 3, protocol: searchR1Protocol, prompt: instructed }
  return tagLoopMethod('search-r1 method', model, options, defaults)
}
