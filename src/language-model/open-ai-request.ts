import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { hide } from '../http/fetch-checked.js'
import { networkFailure, RequestFailure, excerpt } from '../http/request-failure.js'
import type { CheckedCompletionOptions } from './completion-options.js'
import type { Completion } from './language-model.js'
import { openAiClient } from './open-ai-client.js'
import type { Server } from './open-ai-client.js'
import type { Message } from '../tokenizer/tokenizer.js'
import { TextStream } from './text-stream.js'
import { estimateTokens } from './usage.js'

/** Whom to ask. */
export interface Target extends Server {
  model: string
  chatOnly: boolean
  /** Whether it is OpenAI's server, which has a word of its own for `max_tokens`. */
  hosted: boolean
  extraBody: Readonly<Record<string, unknown>>
}

type Request = CheckedCompletionOptions & { prompt: string | readonly Message[] }

const count = z.int().min(0)
const usage = z.object({ prompt_tokens: count, completion_tokens: count.nullish() })
const ending = {
  finish_reason: z.string().nullish(),
  /** vLLM's: the stop string, or the number of a token. */
  stop_reason: z.union([z.string(), z.number()]).nullish(),
  /** SGLang's. */
  matched_stop: z.union([z.string(), z.number()]).nullish(),
}
const text = z.string().nullish()
/** A whole answer or a piece of one, of both kinds: text and what follows is read from whatever is there. */
const answer = z.object({
  id: z.string().nullish(),
  choices: z.array(
    z.object({
      ...ending,
      text,
      message: z.object({ content: text }).nullish(),
      delta: z.object({ content: text }).nullish(),
    }),
  ),
  usage: usage.nullish(),
})
type Answer = z.infer<typeof answer>

/** One request, read to its end. @throws {RequestFailure} */
export async function askOpenAi(target: Target, request: Request): Promise<Completion> {
  const id = `zs-${randomUUID()}`
  const gathered = new Gathered(request, id)
  let failed: RequestFailure | undefined
  try {
    const client = await openAiClient(target, request.onText !== undefined, (failure) => (failed = failure))
    const body = bodyOf(target, request)
    const path = 'messages' in body ? '/chat/completions' : '/completions'
    const options = {
      body,
      stream: request.onText !== undefined,
      signal: request.signal,
      headers: { 'X-Request-Id': id },
    }
    const answered: unknown = await client.post(path, options)
    if (request.onText)
      for await (const piece of answered as AsyncIterable<unknown>) gathered.add(parseAnswer(piece, target))
    else gathered.add(parseAnswer(answered, target))
    return gathered.end()
  } catch (error) {
    request.signal?.throwIfAborted()
    if (gathered.failure) throw gathered.failure.error
    const failure = failureOf(failed ?? error, target)
    if (!gathered.hasSpoken) throw failure
    throw new RequestFailure(`broke off in the middle of a text, which cannot be taken back: it ${failure.message}`, {
      kind: 'refused',
    })
  }
}

function bodyOf({ model, chatOnly, hosted, extraBody }: Target, request: Request): Record<string, unknown> {
  const { prompt, maxTokens, temperature, topP, topK, stop, seed, onText } = request
  const raw = typeof prompt === 'string'
  return {
    model,
    ...(raw && !chatOnly ? { prompt } : { messages: raw ? [{ role: 'user', content: prompt }] : prompt }),
    [hosted ? 'max_completion_tokens' : 'max_tokens']: maxTokens,
    temperature,
    top_p: topP,
    ...(topK > 0 && { top_k: topK }),
    ...(stop.length > 0 && { stop }),
    seed,
    ...(onText && { stream: true, stream_options: { include_usage: true } }),
    ...extraBody,
  }
}

function parseAnswer(value: unknown, { apiKey }: Target): Answer {
  const { success, data } = answer.safeParse(value)
  if (success) return data
  const shown = hide(JSON.stringify(value), apiKey)
  throw new RequestFailure(`answered with something that is no completion: ${excerpt(shown)}`, {
    kind: 'fault',
  })
}

/** An answer as it comes, in one piece or in many. */
class Gathered {
  hasSpoken = false
  /** What `onText` threw: a mistake of the caller, not of the server. */
  failure: { error: unknown } | undefined
  private text = ''
  private ending: Answer['choices'][number] | undefined
  private usage: Answer['usage']
  private readonly stream: TextStream | undefined

  constructor(
    private readonly request: Request,
    private readonly id: string,
  ) {
    const { onText, stop } = request
    if (!onText) return
    this.stream = new TextStream(stop, (piece) => {
      this.hasSpoken = true
      try {
        onText(piece)
      } catch (error) {
        this.failure = { error }
        throw error
      }
    })
  }

  add({ id, choices, usage }: Answer): void {
    const ours = /zs-[0-9a-f]{8}-[0-9a-f-]{27}/.exec(id ?? '')
    if (ours && ours[0] !== this.id) {
      throw new RequestFailure('answered with the body of another request', { kind: 'fault' })
    }
    if (usage) this.usage = usage
    const [choice] = choices
    if (!choice) return
    if (choice.finish_reason) this.ending = choice
    this.text += choice.text ?? choice.message?.content ?? choice.delta?.content ?? ''
    // What comes after a stop string, from a server that knows none, is not handed on.
    this.stream?.grow(this.beforeStop().text)
  }

  end(): Completion {
    if (!this.ending) {
      throw new RequestFailure('ended its answer before the text was finished', { kind: 'fault' })
    }
    const { text, stopString = this.toldStop() } = this.beforeStop()
    this.stream?.end(text)
    const { finish_reason } = this.ending
    const byStop = stopString !== undefined || (finish_reason === 'stop' && this.mayHaveStopped())
    return {
      text,
      finishReason: byStop ? 'stop' : finish_reason === 'length' ? 'length' : 'end',
      ...(stopString !== undefined && { stopString }),
      promptTokens: this.usage?.prompt_tokens ?? estimateTokens(this.request.prompt),
      completionTokens: this.usage?.completion_tokens ?? (this.usage ? 0 : estimateTokens(text)),
    }
  }

  /** The text up to the stop string that comes first, where the server has left one in it. */
  private beforeStop(): { text: string; stopString?: string } {
    let end = this.text.length
    let stopString: string | undefined
    for (const each of this.request.stop) {
      const place = this.text.indexOf(each)
      if (place >= 0 && place < end) [end, stopString] = [place, each]
    }
    return { text: this.text.slice(0, end), ...(stopString !== undefined && { stopString }) }
  }

  private toldStop(): string | undefined {
    const told = this.ending?.stop_reason ?? this.ending?.matched_stop
    return typeof told === 'string' && this.request.stop.includes(told) ? told : undefined
  }

  /** Servers say `stop` for both; vLLM and SGLang tell the token that ended the text, and null where it was the end. */
  private mayHaveStopped(): boolean {
    if (this.request.stop.length === 0) return false
    const { stop_reason, matched_stop } = this.ending!
    return stop_reason === undefined && matched_stop === undefined
  }
}

/** What a server refuses, by what it says, and what to do then. */
const REMEDIES: [RegExp, string][] = [
  [/\btop_k\b/, 'leave topK at 0'],
  [/\bseed\b/, 'leave it out with extraBody: { seed: undefined }'],
  [/\bmax_(completion_)?tokens\b/, 'ask for fewer maxTokens; a field of another name goes into extraBody'],
  [/\b(temperature|top_p|stop|stream_options)\b/, 'a field can be left out with extraBody: { <field>: undefined }'],
]

function failureOf(error: unknown, { model, apiKey }: Target): RequestFailure {
  const failure = error instanceof SyntaxError ? unreadable() : networkFailure(error)
  const { kind, waitMs, status } = failure
  const message = hide(failure.message, apiKey)
  const refuse = (remedy: string): RequestFailure =>
    new RequestFailure(`${message}; ${remedy}`, { kind: 'refused', status })
  if (status === 401 || status === 403) return refuse('give the right key as apiKey, or as OPENAI_API_KEY')
  if (status === 404) return refuse(`does it serve ${model}, and does its address end as it must, mostly with /v1?`)
  if (status === 429 && /insufficient_quota|billing|credit/.test(message)) return refuse('waiting does not help')
  const remedy = kind === 'refused' ? REMEDIES.find(([named]) => named.test(message)) : undefined
  return remedy ? refuse(remedy[1]) : new RequestFailure(message, { kind, waitMs, status })
}

/** What the engine says of it would hold a part of the text. */
const unreadable = (): RequestFailure => new RequestFailure('answered with broken JSON', { kind: 'fault' })
