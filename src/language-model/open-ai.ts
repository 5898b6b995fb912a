import { z } from 'zod'
import { Endpoints } from '../http/endpoints.js'
import { addressSchema, checkSecrets, serverShape } from '../http/options.js'
import type { ServerOptions } from '../http/options.js'
import { anObject, parseOptions } from '../schema/parse-options.js'
import { openAiKey } from '../schema/settings.js'
import type { Message } from '../tokenizer/tokenizer.js'
import { parseCompletion } from './completion-options.js'
import type { Completion, CompletionOptions, LanguageModel } from './language-model.js'
import { askOpenAi } from './open-ai-request.js'
import { estimateTokens, UsageCount } from './usage.js'
import type { Price, Usage } from './usage.js'

/** Options of `openAi`. */
export interface OpenAiOptions extends ServerOptions {
  /** The model's name on the server. */
  model: string
  /** Address of the server, its `/v1` included: `http://127.0.0.1:8000/v1`. Default OpenAI's. */
  baseUrl?: string
  /** Addresses of several servers that serve the same model; each request goes to the least busy one that works. */
  baseUrls?: readonly string[]
  /** Default: `OPENAI_API_KEY` of the environment (`askKey` asks for it); none where it is not set. Never shown or written. */
  apiKey?: string
  /** Shown in tables; default: the model's name. */
  name?: string
  /** True for a server that only chats: a text is sent as one message of the user. Default false; true for OpenAI's. */
  chatOnly?: boolean
  /** Most ids of prompt and completion together, where you know it. */
  contextLength?: number
  /** Texts that the model reads as a command, where you know them. Default: all that look so are taken. */
  specialTokens?: readonly string[]
  /** What a million tokens cost, in any currency: completions then tell their cost. */
  price?: Price
  /** Most tokens of prompts and completions in any 60 seconds, all servers together. Default: no limit. */
  tokensPerMinute?: number
  /**
   * Further fields of each request, such as `{ chat_template_kwargs: { enable_thinking: false } }`. A field that is undefined
   * is left out, where a server refuses it: `{ seed: undefined }`. No place for secrets: they are part of the model's record.
   */
  extraBody?: Readonly<Record<string, unknown>>
}

/** A language model behind a server. */
export interface OpenAiModel extends LanguageModel {
  /** Addresses of its servers. */
  readonly baseUrls: readonly string[]
  /** What has been asked so far, and what it cost. */
  readonly usage: Usage
}

const OPENAI = 'https://api.openai.com/v1'

const name = z.string().min(1)
const price = z.number().min(0)
const schema = z.strictObject({
  model: name,
  baseUrl: addressSchema.exactOptional(),
  baseUrls: z.array(addressSchema).min(1).exactOptional(),
  name: name.exactOptional(),
  chatOnly: z.boolean().exactOptional(),
  contextLength: z.int().min(1).exactOptional(),
  specialTokens: z.array(z.string()).exactOptional(),
  price: z.strictObject({ prompt: price, completion: price }).exactOptional(),
  tokensPerMinute: z.int().min(1).exactOptional(),
  extraBody: anObject<Readonly<Record<string, unknown>>>().default({}),
  ...serverShape,
})

/**
 * A language model behind one or more servers that speak OpenAI's protocol: vLLM, SGLang, llama.cpp, Ollama,
 * `transformers serve`, hosted ones. It goes wherever a language model goes.
 *
 * Messages are sent to `/chat/completions`, a text to `/completions`. A request that fails is sent again, to another server
 * where there is one; what the server refuses (400, 401, 404) is not. Where servers stay away, the completion rejects with
 * their addresses, the causes and what was tried. A text that has begun to come in pieces (`onText`) is not asked for again.
 *
 * `topK` is sent as `top_k` where it is not 0, so that servers which do not know it take the request. The default of
 * llama.cpp is 40, that of vLLM the model's: `extraBody: { top_k: -1 }` turns it off there.
 * @throws where an option is not what it must be
 * @example
 * const model = zs.openAi({ baseUrls: ['http://127.0.0.1:8000/v1', 'http://127.0.0.1:8001/v1'], model: 'simulator' })
 * const simulator = zs.createSimulator(model)
 * await zs.display(await simulator.search('capital of Peru', { question, topK: 5 }))
 * console.log(model.usage.completionTokens)
 */
export function openAi(options: OpenAiOptions): OpenAiModel {
  const { apiKey, ...rest } = options
  checkSecrets('openAi', options)
  if (rest.baseUrl !== undefined && rest.baseUrls !== undefined) {
    throw new Error('openAi: either baseUrl or baseUrls must be given, got both')
  }
  const { model, extraBody, ...given } = parseOptions('openAi', schema, rest)
  const baseUrls = given.baseUrls ?? [given.baseUrl ?? OPENAI]
  const endpoints = new Endpoints({ operation: `openAi (${model})`, addresses: baseUrls, ...given })
  const common = { model, extraBody, apiKey: apiKey ?? openAiKey(), connectTimeoutMs: given.connectTimeoutMs }
  const usage = new UsageCount(given.price)

  async function complete(prompt: string | readonly Message[], asked?: CompletionOptions): Promise<Completion> {
    const request = parseCompletion(prompt, asked)
    const tokens = estimateTokens(request.prompt) + request.maxTokens
    const completion = await endpoints.run(
      async ({ address, signal, spent }) => {
        const hosted = address === OPENAI
        const target = { ...common, address, hosted, chatOnly: given.chatOnly ?? hosted }
        const answer = await askOpenAi(target, { ...request, signal })
        spent(answer.promptTokens + answer.completionTokens)
        return answer
      },
      { signal: request.signal, tokens },
    )
    return usage.add(completion)
  }

  return {
    name: given.name ?? model,
    baseUrls,
    ...(given.contextLength && { contextLength: given.contextLength }),
    ...(given.specialTokens && { specialTokens: given.specialTokens }),
    ...(Object.keys(extraBody).length > 0 && { parameters: extraBody }),
    complete,
    get usage() {
      return usage.sum(endpoints.failures)
    },
  }
}
