import { z } from 'zod'
import { interruptSignal } from '../host/jupyter.js'
import {
  positiveInteger,
  seedSchema,
  stopSchema,
  temperatureSchema,
  topKSchema,
  topPSchema,
} from '../policy/sampling-options.js'
import { aFunction, anAbortSignal, parseOptions } from '../schema/parse-options.js'
import type { Message } from '../tokenizer/tokenizer.js'
import type { CompletionOptions } from './language-model.js'

/** The options with their defaults. */
export type CheckedCompletionOptions = Required<Omit<CompletionOptions, 'onText' | 'signal' | 'stop'>> &
  Pick<CompletionOptions, 'onText'> & { stop: string[]; signal: AbortSignal | undefined }

const optionsSchema = z.strictObject({
  maxTokens: positiveInteger.default(512),
  temperature: temperatureSchema.default(1),
  topP: topPSchema.default(1),
  topK: topKSchema.default(0),
  stop: stopSchema.default([]),
  seed: seedSchema.default(0),
  onText: aFunction<NonNullable<CompletionOptions['onText']>>().exactOptional(),
  signal: anAbortSignal().exactOptional(),
})

const message = z.strictObject({ role: z.enum(['system', 'user', 'assistant']), content: z.string() })
const PROMPT = 'must be a text or a list of messages'
const text = z.object({ prompt: z.string(PROMPT).min(1, 'must not be empty') })
const messages = z.object({ prompt: z.array(message).min(1, 'must not be empty') })

/** What `complete` was asked, checked; for every language model. */
export function parseCompletion(
  prompt: string | readonly Message[],
  options: CompletionOptions = {},
): { prompt: string | readonly Message[] } & CheckedCompletionOptions {
  const { signal = interruptSignal(), ...rest } = parseOptions('complete', optionsSchema, options)
  const schema: z.ZodType<{ prompt: string | Message[] }> = Array.isArray(prompt) ? messages : text
  return { ...parseOptions('complete', schema, { prompt }), ...rest, signal }
}
