import { z } from 'zod'
import type { LanguageModel } from '../../language-model/language-model.js'
import type { Sampling } from '../../policy/policy.js'
import { parseOptions } from '../../schema/parse-options.js'
import type { Method } from '../method.js'
import { attempt } from './attempt.js'
import { boxedAnswer } from './boxed.js'
import {
  checkModel,
  harmless,
  positiveInteger,
  promptSchema,
  samplingSchema,
  SEARCH_O1_SAMPLING,
} from './model-options.js'
import type { QuestionPrompt } from './model-options.js'
import { unanswered, writeOnce } from './one-message.js'

/** Options of `cotMethod`. */
export interface CotOptions {
  /** How the question is asked; the answer is to be in `\boxed{}`. Default: a prompt of ours for instruction-tuned models. */
  prompt?: QuestionPrompt
  /** How tokens are drawn. Default: temperature 0.7, top-p 0.8, top-k 20, as Search-o1's code. */
  sampling?: Sampling
  /** Most tokens of the message. Default 8192; a shorter context ends it before. */
  maxTokens?: number
}

const schema = z.strictObject({
  prompt: promptSchema.default(() => cotPrompt),
  sampling: samplingSchema.default(SEARCH_O1_SAMPLING),
  maxTokens: positiveInteger.default(8192),
})

/** Step by step to an answer in `\boxed{}`. */
export const cotPrompt: QuestionPrompt = (question) => [
  {
    role: 'user',
    content:
      'Answer the question below. Think step by step, and end with the answer alone in the form \\boxed{answer}.\n\n' +
      `Question: ${question}`,
  },
]

/**
 * Chain of thought: one message, reasoning first, no documents. Its name is `cot`.
 *
 * It follows Wei et al. (arXiv 2201.11903) in the zero-shot form that Search-o1's code calls direct reasoning (arXiv 2501.05366,
 * scripts/run_direct_gen.py): one user message, the answer in `\boxed{}`. Departures: the prompt's wording is ours; the box is
 * read with its braces balanced, the last one counts, and no box is no answer; no repetition penalty.
 * ZeroSearch (arXiv 2505.04588) prints neither its prompt nor its sampling for this row.
 * @throws where an option is not what it must be
 * @example
 * const scores = await zs.evaluate({ methods: [zs.cotMethod(model, { maxTokens: 512 })], questions })
 */
export function cotMethod(model: LanguageModel, options: CotOptions = {}): Method {
  checkModel('cot method', model)
  const { prompt, sampling, maxTokens } = parseOptions('cot method', schema, options)
  const budget = { searches: 0, turns: 1, tokens: maxTokens, pages: 0 }
  return {
    name: 'cot',
    budget,
    settings: { model, prompt, sampling, maxTokens },
    answer: (question, context) =>
      attempt(question, context, budget, async (running) => {
        const asked = prompt(harmless(question.question, model))
        const { text, ending } = await writeOnce(running, model, asked, { sampling, maxTokens, stop: [] })
        const answer = boxedAnswer([text])
        running.say(text, answer === null ? { kind: 'invalid', cause: NO_BOX } : { kind: 'answer', answer })
        return { answer, stopReason: answer === null ? unanswered(ending) : 'answer' }
      }),
  }
}

export const NO_BOX = 'there is no \\boxed{}'
