import { randomInt, randomUUID } from 'node:crypto'
import { z } from 'zod'
import { parseCompletion } from '../language-model/completion-options.js'
import type { Completion, CompletionOptions, LanguageModel } from '../language-model/language-model.js'
import { parseOptions } from '../schema/parse-options.js'
import type { Message } from '../tokenizer/tokenizer.js'
import type { Admission } from './admission.js'
import type { Call, Handler } from './http-server.js'
import type { Metrics } from './metrics.js'
import { checked, Refusal } from './refusal.js'

/** Language models, and how many are asked at once. */
export interface Completing {
  models: readonly LanguageModel[]
  admission: Admission
  metrics: Metrics
}

const text = z.string()
const count = z.int()
/** What would change the answer and cannot be done is refused, unless it says what is done anyway. */
const only = (...values: readonly unknown[]) => {
  const done = [null, ...values].map((value) => JSON.stringify(value))
  const rule = `must be left out${values.length > 0 ? ` or ${done[1]}` : ''}; this server cannot do more`
  return z.custom<unknown>((value) => done.includes(JSON.stringify(value)), rule).exactOptional()
}

const common = {
  model: text,
  max_tokens: count.nullish(),
  max_completion_tokens: count.nullish(),
  temperature: z.number().nullish(),
  top_p: z.number().nullish(),
  top_k: count.nullish(),
  stop: z.union([text, z.array(text)]).nullish(),
  seed: count.nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  n: only(1),
  best_of: only(1),
  logprobs: only(false),
  presence_penalty: only(0),
  frequency_penalty: only(0),
  repetition_penalty: only(1),
  logit_bias: only({}),
  tools: only([]),
  response_format: only({ type: 'text' }),
}
const CONTENT = 'must be a text, or parts of type text'
const part = z.object({ type: z.literal('text'), text })
const message = z.object({
  role: z.enum(['system', 'developer', 'user', 'assistant']),
  content: z.union([text, z.array(part, CONTENT)], CONTENT),
})
const chatRequest = z.object({ ...common, messages: z.array(message).min(1) })
const PROMPT = 'must be a text, or a list of one text'
const textRequest = z.object({
  ...common,
  prompt: z.union([text, z.array(text).length(1)], PROMPT),
  echo: only(false),
  suffix: only(''),
})

/** `GET /v1/models`. */
export const listModels =
  ({ models }: Completing): Handler =>
  () =>
    Promise.resolve({
      object: 'list',
      data: models.map(({ name, contextLength }) => ({
        id: name,
        object: 'model',
        created: 0,
        owned_by: 'zerosearch',
        ...(contextLength !== undefined && { max_model_len: contextLength }),
      })),
    })

/** `POST /v1/chat/completions`. */
export function completeChat(completing: Completing): Handler {
  return async (call) => {
    const { messages, ...request } = checked(() => parseOptions('chat completion', chatRequest, call.body))
    const prompt = messages.map(({ role, content }): Message => ({
      role: role === 'developer' ? 'system' : role,
      content: typeof content === 'string' ? content : content.map((each) => each.text).join(''),
    }))
    return complete(completing, call, prompt, request, {
      id: 'chatcmpl',
      object: 'chat.completion',
      whole: (content) => ({ message: { role: 'assistant', content } }),
      piece: (content) => ({ delta: { role: 'assistant', content } }),
      pieceObject: 'chat.completion.chunk',
    })
  }
}

/** `POST /v1/completions`. */
export function completeText(completing: Completing): Handler {
  return async (call) => {
    const { prompt, ...request } = checked(() => parseOptions('completion', textRequest, call.body))
    return complete(completing, call, typeof prompt === 'string' ? prompt : prompt[0]!, request, {
      id: 'cmpl',
      object: 'text_completion',
      whole: (content) => ({ text: content }),
      piece: (content) => ({ text: content }),
      pieceObject: 'text_completion',
    })
  }
}

/** How one kind of completion is written. */
interface Form {
  id: string
  object: string
  pieceObject: string
  whole: (content: string) => object
  piece: (content: string) => object
}

type Request = z.infer<z.ZodObject<typeof common>>

async function complete(
  { models, admission, metrics }: Completing,
  call: Call,
  prompt: string | Message[],
  request: Request,
  form: Form,
): Promise<unknown> {
  const { signal } = call
  const model = models.find(({ name }) => name === request.model)
  if (!model) {
    const names = models.map(({ name }) => name).join(', ')
    throw new Refusal(404, `there is no model ${JSON.stringify(request.model.slice(0, 100))}; the models are ${names}`)
  }
  const options = optionsOf(request)
  checked(() => parseCompletion(prompt, options))
  const head = { id: `${form.id}-${randomUUID()}`, created: Math.floor(Date.now() / 1000), model: model.name }
  const pieceOf = (choice: object, more: object = {}): object => ({
    ...head,
    object: form.pieceObject,
    choices: [{ index: 0, logprobs: null, finish_reason: null, ...choice }],
    ...more,
  })
  const events = request.stream ? call.stream() : undefined
  const onText = events && ((piece: string): void => events.send(pieceOf(form.piece(piece))))
  const places = admission.admit(1)
  const completion = await places.run(
    () => model.complete(prompt, { ...options, signal, ...(onText && { onText }) }),
    signal,
  )
  metrics.promptTokens += completion.promptTokens
  metrics.completionTokens += completion.completionTokens
  if (!events) {
    const choice = { index: 0, ...form.whole(completion.text), logprobs: null, ...ending(completion) }
    return { ...head, object: form.object, choices: [choice], usage: usageOf(completion) }
  }
  events.send(pieceOf({ ...form.piece(''), ...ending(completion) }))
  if (request.stream_options?.include_usage) {
    events.send({ ...head, object: form.pieceObject, choices: [], usage: usageOf(completion) })
  }
  events.send('[DONE]')
  return undefined
}

function optionsOf(request: Request): CompletionOptions {
  const { temperature, top_p: topP, top_k: topK, stop, seed } = request
  const maxTokens = request.max_completion_tokens ?? request.max_tokens
  return {
    ...(typeof maxTokens === 'number' && { maxTokens }),
    ...(typeof temperature === 'number' && { temperature }),
    ...(typeof topP === 'number' && { topP }),
    // Some servers' word for all tokens.
    ...(typeof topK === 'number' && { topK: Math.max(0, topK) }),
    ...(stop !== undefined && stop !== null && { stop: typeof stop === 'string' ? [stop] : stop }),
    // Without a seed each request is another draw, as clients expect it.
    seed: seed ?? randomInt(2 ** 31),
  }
}

const ending = ({ finishReason, stopString }: Completion): object => ({
  finish_reason: finishReason === 'length' ? 'length' : 'stop',
  stop_reason: stopString ?? null,
})

const usageOf = ({ promptTokens, completionTokens }: Completion): object => ({
  prompt_tokens: promptTokens,
  completion_tokens: completionTokens,
  total_tokens: promptTokens + completionTokens,
})
