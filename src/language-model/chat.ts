import type { Message } from '../tokenizer/tokenizer.js'
import type { Completion, CompletionOptions, LanguageModel } from './language-model.js'

/**
 * Asks a model in its chat form.
 * @param prompt What the user says, or the messages so far; the model speaks next.
 * @throws as `complete` does
 */
export function chat(
  model: LanguageModel,
  prompt: string | readonly Message[],
  options: CompletionOptions = {},
): Promise<Completion> {
  return model.complete(typeof prompt === 'string' ? [{ role: 'user', content: prompt }] : prompt, options)
}
