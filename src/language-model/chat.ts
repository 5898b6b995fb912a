import type { Message } from '../tokenizer/tokenizer.js'
import type { Completion, CompletionOptions, LanguageModel } from './language-model.js'

/**
 * Asks a model in its chat form.
 * @param prompt What the user says, or the messages so far; the model speaks next.
 * @param options Default: at most 512 tokens, temperature 1, seed 0.
 * @throws where an option is not what it must be, the prompt does not fit, or the model fails; the signal's reason once it
 * is given
 * @example
 * const { text } = await zs.chat(model, 'In which country is Lima?', { temperature: 0, maxTokens: 64 })
 * console.log(text)
 */
export function chat(
  model: LanguageModel,
  prompt: string | readonly Message[],
  options: CompletionOptions = {},
): Promise<Completion> {
  return model.complete(typeof prompt === 'string' ? [{ role: 'user', content: prompt }] : prompt, options)
}
