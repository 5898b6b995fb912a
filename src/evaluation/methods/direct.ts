import type { LanguageModel } from '../../language-model/language-model.js'
import { parseLimits } from '../../rollout/rollout-options.js'
import { parseOptions } from '../../schema/parse-options.js'
import type { Method } from '../method.js'
import { attempt } from './attempt.js'
import { harmless } from './model-options.js'
import { ask, baselineSchema } from './one-message.js'
import type { BaselineOptions } from './one-message.js'

/**
 * The model without any documents: what it knows by itself. Its name is `direct`.
 *
 * ZeroSearch (arXiv 2505.04588) prints neither prompt nor sampling for this row. It follows FlashRAG's zero-shot generation
 * (arXiv 2405.13576): one call, no search, the answer alone, greedy. Search-o1's "direct" asks for reasoning and is `cotMethod`.
 * Departures: the wording is ours; the answer is read from `<answer>` tags, none is no answer; the protocol limits the message
 * (500 tokens by default, upstream 32), which ends at `</answer>`.
 * @throws if an option is not what it must be
 * @example
 * const scores = await zs.evaluate({ methods: [zs.directMethod(model)], questions })
 */
export function directMethod(model: LanguageModel, options: BaselineOptions = {}): Method {
  const { prompts, ...rest } = parseOptions('direct method', baselineSchema, options)
  const { maxTokensPerTurn: tokens } = parseLimits('direct method', rest.protocol)
  const budget = { searches: 0, turns: 1, tokens, pages: 0 }
  return {
    name: 'direct',
    budget,
    settings: { model, prompts, ...rest },
    answer: (question, context) =>
      attempt(question, context, budget, (running) =>
        ask(running, model, prompts.direct(harmless(question.question, model)), rest),
      ),
  }
}
