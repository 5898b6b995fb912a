import { z } from 'zod'
import type { LanguageModel } from '../../language-model/language-model.js'
import type { Sampling } from '../../policy/policy.js'
import { extractAnswer } from '../../reward/extract-answer.js'
import { parseOptions } from '../../schema/parse-options.js'
import { GREEDY } from '../method.js'
import type { Method } from '../method.js'
import { attempt } from './attempt.js'
import { checkModel, harmless, positiveInteger, promptSchema, samplingSchema } from './model-options.js'
import type { QuestionPrompt } from './model-options.js'
import { unanswered, writeOnce } from './one-message.js'

/** Options of `r1Method`. */
export interface R1Options {
  /** Shown in tables. Default `r1-prompt`; give `r1` to a checkpoint that was trained for it. */
  name?: string
  /** How the question is asked. Default: reasoning in `<think>`, the answer in `<answer>`. */
  prompt?: QuestionPrompt
  /** How tokens are drawn. Default greedy. */
  sampling?: Sampling
  /** Most tokens of the message. Default 500. */
  maxTokens?: number
}

const schema = z.strictObject({
  name: z.string().min(1).default('r1-prompt'),
  prompt: promptSchema.default(() => r1Prompt),
  sampling: samplingSchema.default(GREEDY),
  maxTokens: positiveInteger.default(500),
})

const r1Prompt: QuestionPrompt = (question) => [
  {
    role: 'user',
    content:
      'Answer the question below. Reason first, between <think> and </think>. Then write the answer alone between <answer> ' +
      `and </answer>, without explanations, such as <answer> Lima </answer>. Question: ${question}`,
  },
]

/**
 * R1: a policy trained by RL to reason, without a search engine. One message; a search that it writes is not made.
 *
 * It follows the R1 baseline of Search-R1 (arXiv 2503.09516, section 4.2; scripts/data_process/nq.py), which ZeroSearch runs
 * too: Search-R1's data and reward with searching off and taken out of the instruction. Departures: the wording is ours, and
 * the text ends at `</answer>` (upstream has no stop string). A model that was not trained for it plays "R1's prompt,
 * untrained": the default name says so. DeepSeek-R1 is another thing.
 * @throws where an option is not what it must be
 * @example
 * const method = zs.r1Method(model, { maxTokens: 500 })
 * const scores = await zs.evaluate({ methods: [method], questions })
 */
export function r1Method(model: LanguageModel, options: R1Options = {}): Method {
  checkModel('r1 method', model)
  const { name, prompt, sampling, maxTokens } = parseOptions('r1 method', schema, options)
  const budget = { searches: 0, turns: 1, tokens: maxTokens, pages: 0 }
  return {
    name,
    budget,
    settings: { model, prompt, sampling, maxTokens },
    answer: (question, context) =>
      attempt(question, context, budget, async (running) => {
        const asked = prompt(harmless(question.question, model))
        const { text, ending } = await writeOnce(running, model, asked, { sampling, maxTokens, stop: ['</answer>'] })
        const answer = extractAnswer([text])
        const cause = 'there is no complete <answer>'
        running.say(text, answer === null ? { kind: 'invalid', cause } : { kind: 'answer', answer })
        return { answer, stopReason: answer === null ? unanswered(ending) : 'answer' }
      }),
  }
}
