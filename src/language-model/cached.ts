import { createHash } from 'node:crypto'
import { z } from 'zod'
import { openTextStore } from '../file/text-store.js'
import type { TextStore } from '../file/text-store.js'
import { anObject, parseOptions } from '../schema/parse-options.js'
import type { Message } from '../tokenizer/tokenizer.js'
import { parseCompletion } from './completion-options.js'
import type { CheckedCompletionOptions } from './completion-options.js'
import type { Completion, CompletionOptions, LanguageModel } from './language-model.js'
import { SharedCompletion } from './shared-completion.js'

/** Options of `cached`. */
export interface CachedOptions {
  /** Where the texts are; made where it is missing. Several processes and several models may use one. */
  folder: string
  /** True asks the model for nothing: what is not in the cache is an error. Default false. */
  offline?: boolean
  /** Stands for the model in the cache. Default: its name. Give another one where weights of the same name have changed. */
  model?: string
}

/** How often the cache had the text. */
export interface CacheCount {
  /** Completions that were there. */
  hits: number
  /** Completions that the model was asked for. */
  misses: number
  /** Entries that could not be read, and were asked for anew. */
  damaged: number
}

/** A language model that is asked for each text once. */
export interface CachedModel<Model extends LanguageModel = LanguageModel> extends LanguageModel {
  /** The model that is asked where the cache has no text. */
  readonly model: Model
  /** How often the cache had the text, so far. */
  readonly cache: CacheCount
  /** Frees the files. What is under way comes to its end; nothing can be asked any more. */
  close(): Promise<void>
}

const text = z.string().min(1)
const schema = z.strictObject({ folder: text, offline: z.boolean().default(false), model: text.exactOptional() })

const entry = z.object({
  text: z.string(),
  finishReason: z.enum(['stop', 'end', 'length']),
  stopString: z.string().exactOptional(),
  promptTokens: z.number(),
  completionTokens: z.number(),
})

/**
 * Keeps what a model writes, so that the same request, of the same seed, has the same text: in this run, in the next one, in
 * another process. Requests that are the same and under way together are asked once. What fails is not kept.
 *
 * A request is the model's name, prompt or messages, all options, and what the model adds to each request. Only its hash is
 * on the disk, beside the text. A text that comes from the cache costs nothing.
 * @throws where an option is not what it must be, or the folder cannot be used; offline, a completion that is not there
 * @example
 * const writer = zs.cached(model, { folder: 'runs/texts' })
 * const simulator = zs.createSimulator(writer)
 * await zs.rollOut(policy, question, { searchEngine: simulator })
 * await zs.display(writer) // how much of it was there already
 * await writer.close()
 */
export function cached<Model extends LanguageModel>(model: Model, options: CachedOptions): CachedModel<Model> {
  parseOptions('cached', z.object({ model: anObject<LanguageModel>('a language model', ['complete']) }), { model })
  const { folder, offline, model: name = model.name } = parseOptions('cached', schema, options)
  const store = openTextStore(folder)
  const cache: CacheCount = { hits: 0, misses: 0, damaged: 0 }
  const underWay = new Map<string, SharedCompletion>()
  let told = false

  const tell = (message: string): void => {
    if (!told) console.warn(`cached: ${message}`)
    told = true
  }

  function find(key: string): Completion | undefined {
    const stored = store.get(key)
    if (stored === undefined) return undefined
    const completion = unpack(key, stored)
    if (completion) return completion
    cache.damaged++
    tell(`an entry in ${folder} is damaged; it counts as absent`)
    return undefined
  }

  async function complete(prompt: string | readonly Message[], asked?: CompletionOptions): Promise<Completion> {
    const request = parseCompletion(prompt, asked)
    const { onText, signal } = request
    signal?.throwIfAborted()
    const fields = keyFields(name, model.parameters, request)
    const key = createHash('sha256').update(JSON.stringify(fields)).digest('hex')
    const found = find(key)
    if (found) {
      cache.hits++
      if (found.text !== '') onText?.(found.text)
      return found
    }
    const other = underWay.get(key)
    if (other?.isOpen) {
      cache.hits++
      return withoutCost(await other.join(request))
    }
    if (offline)
      throw new Error(`cached: there is no text in ${folder} for ${describe(fields)}; it is offline: run it without`)
    cache.misses++
    const shared = new SharedCompletion((given) => ask(key, request, given), onText !== undefined)
    underWay.set(key, shared)
    const forget = (): void => void (underWay.get(key) === shared && underWay.delete(key))
    shared.ended.then(forget, forget)
    return shared.join(request)
  }

  async function ask(
    key: string,
    { prompt, ...request }: CheckedRequest,
    given: Pick<CompletionOptions, 'onText' | 'signal'>,
  ): Promise<Completion> {
    const { onText: _, signal: __, ...rest } = request
    const completion = await model.complete(prompt, { ...rest, ...given })
    const kept = await keep(store, key, completion).catch((error: Error) => {
      tell(`a text could not be written to ${folder}: ${error.message}`)
      return completion
    })
    // Another process was faster: both go on with its text, unless ours has been heard already.
    return given.onText || kept.text === completion.text ? completion : kept
  }

  const { contextLength, specialTokens } = model
  return {
    name: model.name,
    ...(contextLength !== undefined && { contextLength }),
    ...(specialTokens && { specialTokens }),
    ...(model.truncate && { truncate: (given: string, maxTokens: number) => model.truncate!(given, maxTokens) }),
    ...(model.parameters && { parameters: model.parameters }),
    model,
    cache,
    complete,
    close: () => store.close(),
  }
}

type CheckedRequest = CheckedCompletionOptions & { prompt: string | readonly Message[] }

/** What decides a text, in a fixed order. */
function keyFields(
  model: string,
  parameters: LanguageModel['parameters'],
  { prompt, maxTokens, temperature, topP, topK, stop, seed }: CheckedRequest,
): Record<string, unknown> {
  // Greedy decoding draws nothing.
  const drawn = temperature === 0 ? {} : { topP, topK, seed }
  return { model, parameters: parameters ?? {}, prompt, maxTokens, temperature, ...drawn, stop }
}

/** The fields in words: without the whole prompt, and of the parameters their names alone. */
function describe({ parameters, prompt, ...fields }: Record<string, unknown>): string {
  const names = Object.keys(parameters as object)
  const shown = JSON.stringify(names.length > 0 ? { ...fields, parameters: names } : fields)
  const text = JSON.stringify(prompt)
  return `${shown} and the prompt ${text.length > 200 ? `${text.slice(0, 200)}…` : text}`
}

async function keep(store: TextStore, key: string, completion: Completion): Promise<Completion> {
  const { text, finishReason, stopString, promptTokens, completionTokens } = completion
  const value = { text, finishReason, ...(stopString !== undefined && { stopString }), promptTokens, completionTokens }
  const json = JSON.stringify(value)
  const stored = await store.add(key, `${digest(key, json)} ${json}`, (there) => unpack(key, there) !== undefined)
  const kept = unpack(key, stored)!
  return kept.text === text ? completion : kept
}

/** A stored completion; undefined where it is damaged, or belongs to another key. */
function unpack(key: string, stored: string): Completion | undefined {
  const json = stored.slice(65)
  if (stored.slice(0, 64) !== digest(key, json)) return undefined
  const { data } = entry.safeParse(JSON.parse(json))
  return data
}

const digest = (key: string, json: string): string => createHash('sha256').update(`${key} ${json}`).digest('hex')

const withoutCost = ({ cost: _, ...completion }: Completion): Completion => completion
