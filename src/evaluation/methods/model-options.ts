import { z } from 'zod'
import type { LanguageModel } from '../../language-model/language-model.js'
import type { Policy, Sampling } from '../../policy/policy.js'
import { positiveInteger, samplingSchema } from '../../policy/sampling-options.js'
import { aFunction, anObject, parseOptions } from '../../schema/parse-options.js'
import { neutralize } from '../../search/neutralize.js'
import type { SearchEngine } from '../../search/search-engine.js'
import type { Message } from '../../tokenizer/tokenizer.js'
import { isPolicy } from './transcript.js'

// What options of methods have in common.

/** Asks a question: a text to continue, or messages. */
export type QuestionPrompt = (question: string) => string | Message[]

/** How Search-o1's code draws tokens, and with it all prompted methods of that family. */
export const SEARCH_O1_SAMPLING: Sampling = { temperature: 0.7, topP: 0.8, topK: 20 }

export const promptSchema = aFunction<QuestionPrompt>()
export const engineSchema = anObject<SearchEngine>('a search engine', ['search'])
export const modelSchema = anObject<LanguageModel>('a language model', ['complete'])
export const count = z.int().min(0)
export { positiveInteger, samplingSchema }

/** Refuses what is no model, at the door. */
export function checkModel(operation: string, model: unknown): void {
  parseOptions(operation, z.object({ model: modelSchema }), { model })
}

/** The same where a policy alone will do. */
export function checkWriter(operation: string, model: unknown): void {
  const isWriter = (value: unknown): boolean => {
    const { complete, start } = (value ?? {}) as Record<string, unknown>
    return typeof complete === 'function' || typeof start === 'function'
  }
  const schema = z.object({ model: z.custom(isWriter, 'must be a language model or a policy') })
  parseOptions(operation, schema, { model })
}

/** A text of somebody else in which neither the usual tags nor a method's own speak any more. */
export function harmless(text: string, model: LanguageModel | Policy, tags: readonly string[] = []): string {
  const plain = neutralize(text, isPolicy(model) ? model.tokenizer : model)
  return tags.length === 0 ? plain : neutralize(plain, { specialTokens: tags })
}

/** A text in its share of a model's context, where that is known: what is longer is cut at its end. */
export function fit(model: LanguageModel, text: string, share: number): string {
  const { contextLength } = model
  return contextLength === undefined ? text : (model.truncate?.(text, Math.floor(contextLength * share)) ?? text)
}
