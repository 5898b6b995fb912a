import { z } from 'zod'
import type { Sampling } from '../policy/policy.js'
import { samplingSchema } from '../policy/sampling-options.js'
import { CLOSE_INFORMATION, zerosearchProtocol } from '../rollout/protocol.js'
import type { Protocol } from '../rollout/protocol.js'
import { parseLimits } from '../rollout/rollout-options.js'
import type { Completion, LanguageModel } from '../language-model/language-model.js'
import { extractAnswer } from '../reward/extract-answer.js'
import { ACTION_ENDS, parseAction } from '../rollout/parse-action.js'
import { anObject, parseOptions } from '../schema/parse-options.js'
import type { Question } from '../schema/question.js'
import type { FailureBoundary, Trajectory } from '../schema/trajectory.js'
import { neutralize, neutralizeDocument } from '../search/neutralize.js'
import type { SearchEngine } from '../search/search-engine.js'
import type { Message } from '../tokenizer/tokenizer.js'
import { zerosearchBaselinePrompts } from './baseline-prompts.js'
import type { BaselinePrompts } from './baseline-prompts.js'
import { GREEDY } from './method.js'
import type { AnswerContext, Method } from './method.js'

/** Options of `directMethod`. */
export interface BaselineOptions {
  /** Limits, and how documents are shown; default ZeroSearch's. */
  protocol?: Protocol
  /** How the question is asked. Default: for instruction-tuned and base models, `zerosearchBaselinePrompts`. */
  prompts?: BaselinePrompts
  /** How tokens are drawn. Default greedy. */
  sampling?: Sampling
}

/** Options of `ragMethod`. */
export interface RagOptions extends BaselineOptions {
  /** Where documents come from. */
  searchEngine: SearchEngine
  /** Documents that are retrieved; default 5. */
  topK?: number
}

const baselineSchema = z.strictObject({
  protocol: anObject<Protocol>('a protocol', ['prompt', 'observation']).default(zerosearchProtocol),
  prompts: anObject<BaselinePrompts>('prompts', ['direct', 'rag']).default(zerosearchBaselinePrompts),
  sampling: samplingSchema.default(GREEDY),
})

const ragSchema = baselineSchema.extend({
  searchEngine: anObject<SearchEngine>('a search engine', ['search']),
  topK: z.int().min(1).default(5),
})

/** Where a model cannot tell: fewer than most texts have. */
const CHARACTERS_PER_TOKEN = 4

/**
 * The model without any documents: what it knows by itself. Its name is `direct`.
 * @throws where an option is not what it must be
 * @example
 * const scores = await zs.evaluate({ methods: [zs.directMethod(model)], questions })
 */
export function directMethod(model: LanguageModel, options: BaselineOptions = {}): Method {
  const { prompts, ...rest } = parseOptions('direct method', baselineSchema, options)
  parseLimits('direct method', rest.protocol)
  return {
    name: 'direct',
    answer: (question, context) => ask(model, question, context, rest, (asked) => prompts.direct(asked)),
  }
}

/**
 * The model with the documents of one search for the question itself. Its name is `rag`.
 * @throws where an option is not what it must be
 * @example
 * const method = zs.ragMethod(model, { searchEngine: engine, topK: 3 })
 * const scores = await zs.evaluate({ methods: [method], questions })
 */
export function ragMethod(model: LanguageModel, options: RagOptions): Method {
  const { searchEngine, topK, protocol, prompts, sampling } = parseOptions('rag method', ragSchema, options)
  parseLimits('rag method', protocol)
  return {
    name: 'rag',
    async answer(question, context) {
      let text: string
      try {
        const documents = await searchEngine.search(question.question, { question, topK, seed: context.seed })
        text = protocol.observation(documents.slice(0, topK).map((document) => neutralizeDocument(document, model)))
      } catch (error) {
        return { ...failed(question, context, 'search', error), searches: 1 }
      }
      const observation = cutDocuments(model, text, protocol.maxObservationTokens)
      const trajectory = await ask(model, question, context, { protocol, sampling }, (asked) =>
        prompts.rag(asked, observation),
      )
      return { ...trajectory, searches: 1 }
    },
  }
}

/** One message with an answer. A failure of the model is recorded; the signal's reason is thrown. */
async function ask(
  model: LanguageModel,
  question: Question,
  { seed, signal }: AnswerContext,
  { protocol, sampling }: { protocol: Protocol; sampling: Sampling },
  prompt: (question: string) => string | Message[],
): Promise<Trajectory> {
  try {
    const completion = await model.complete(prompt(neutralize(question.question, model)), {
      ...sampling,
      maxTokens: protocol.maxTokensPerTurn,
      stop: ACTION_ENDS,
      seed,
      signal,
    })
    const text = withStopString(completion)
    const action = parseAction(text)
    const full = completion.finishReason === 'length'
    return {
      ...untold(question, seed),
      turns: [{ text, action }],
      answer: extractAnswer([text]),
      stopReason: action.kind === 'answer' ? 'answer' : full ? 'maxTokens' : 'maxTurns',
    }
  } catch (error) {
    signal.throwIfAborted()
    return failed(question, { seed, signal }, 'policy', error)
  }
}

/** The text with the tag that ended it: stop strings are left out, and not every server tells which one it was. */
function withStopString({ text, finishReason, stopString }: Completion): string {
  if (stopString !== undefined || finishReason !== 'stop') return text + (stopString ?? '')
  const open = /.*<(search|answer)>(?![^]*<\/\1>)/s.exec(text)
  return open ? `${text}</${open[1]}>` : text
}

/** Documents between their tags, cut at their end to what the protocol allows. */
function cutDocuments(model: LanguageModel, observation: string, maxTokens: number): string {
  const end = observation.lastIndexOf(CLOSE_INFORMATION)
  const documents = observation.slice(0, end)
  const cut = model.truncate?.(documents, maxTokens) ?? documents.slice(0, maxTokens * CHARACTERS_PER_TOKEN)
  return cut + observation.slice(end)
}

const failed = (
  question: Question,
  { seed }: AnswerContext,
  boundary: FailureBoundary,
  error: unknown,
): Trajectory => ({
  ...untold(question, seed),
  stopReason: 'failed',
  failure: { boundary, message: error instanceof Error ? error.message : String(error) },
})

/** A trajectory of a model that does not tell its tokens. */
const untold = (question: Question, seed: number): Trajectory => ({
  question,
  turns: [],
  ids: [],
  lossMask: [],
  logprobs: [],
  promptLength: 0,
  answer: null,
  stopReason: 'maxTurns',
  searches: 0,
  seed,
})
