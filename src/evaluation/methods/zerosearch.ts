import type { LanguageModel } from '../../language-model/language-model.js'
import type { Policy } from '../../policy/policy.js'
import { instructed, zerosearchProtocol } from '../../rollout/protocol.js'
import type { Method } from '../method.js'
import { tagLoopMethod } from './tag-loop.js'
import type { TagLoopOptions } from './tag-loop.js'

/**
 * ZeroSearch: a policy trained against a simulator, evaluated with any engine, five documents a search. Its name is
 * `zerosearch`; a local policy plays exactly as `policyMethod` does.
 *
 * It follows ZeroSearch (arXiv 2505.04588, section 3; llm_agent/generation.py): Search-R1's loop. Departures: as there; a title
 * stands apart from its text, the list is cut to `topK`, a search that fails is a failed question and not a text that says
 * nothing was found, and no prompt of the policy holds a gold answer.
 * @throws where an option is not what it must be
 * @example
 * const methods = [zs.zeroSearchMethod(policy, { searchEngine: engine }), zs.searchR1Method(policy, { searchEngine: engine })]
 * const scores = await zs.evaluate({ methods, questions })
 */
export function zeroSearchMethod(model: LanguageModel | Policy, options: TagLoopOptions): Method {
  const defaults = { name: 'zerosearch', topK: 5, protocol: zerosearchProtocol, prompt: instructed }
  return tagLoopMethod('zerosearch method', model, options, defaults)
}
