import type { LanguageModel } from '../../language-model/language-model.js'
import { parseLimits } from '../../rollout/rollout-options.js'
import { parseOptions } from '../../schema/parse-options.js'
import type { Method } from '../method.js'
import { ask, baselineSchema } from './one-message.js'
import type { BaselineOptions } from './one-message.js'

/**
 * The model without any documents: what it knows by itself. Its name is `direct`.
 * @throws if an option is not what it must be
 * @example
 * const scores = await zs.evaluate({ methods: [zs.directMethod(model)], questions })
 */
export function directMethod(model: LanguageModel, options: BaselineOptions = {}): Method {
  const { prompts, ...rest } = parseOptions('direct method', baselineSchema, options)
  parseLimits('direct method', rest.protocol)
  return {
    name: 'direct',
    answer: (question, context) => ask(model, question, context, rest, (asked) => prompts.direct(asked)),
  }
}
