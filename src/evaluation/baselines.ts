import { z } from 'zod'
import type { Policy, Sampling } from '../policy/policy.js'
import { samplingSchema } from '../policy/sampling-options.js'
import { fitObservation } from '../rollout/fit-observation.js'
import { zerosearchProtocol } from '../rollout/protocol.js'
import type { Protocol } from '../rollout/protocol.js'
import { rollOut } from '../rollout/roll-out.js'
import { parseRolloutOptions } from '../rollout/rollout-options.js'
import type { RolloutOptions } from '../rollout/rollout-options.js'
import { anObject, parseOptions } from '../schema/parse-options.js'
import type { Question } from '../schema/question.js'
import type { Trajectory } from '../schema/trajectory.js'
import { neutralizeDocument } from '../search/neutralize.js'
import type { SearchEngine } from '../search/search-engine.js'
import { zerosearchBaselinePrompts } from './baseline-prompts.js'
import type { BaselinePrompts } from './baseline-prompts.js'
import { GREEDY } from './method.js'
import type { AnswerContext, Method } from './method.js'

export interface BaselineOptions {
  /** Limits, and how documents are shown; default ZeroSearch's. */
  protocol?: Protocol
  /** Default: for instruction-tuned and base models. */
  prompts?: BaselinePrompts
  /** Default greedy. */
  sampling?: Sampling
}

export interface RagOptions extends BaselineOptions {
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

/** The model without any documents: what it knows by itself. */
export function directMethod(policy: Policy, options: BaselineOptions = {}): Method {
  const { prompts, ...rest } = parseOptions('direct method', baselineSchema, options)
  const once = withoutSearch(rest, (tokenizer, question) => prompts.direct(tokenizer, question))
  parseRolloutOptions(once)
  return { name: 'direct', answer: (question, context) => rollOut(policy, question, { ...once, ...context }) }
}

/** The model with the documents of one search for the question itself. */
export function ragMethod(policy: Policy, options: RagOptions): Method {
  const { searchEngine, topK, protocol, prompts, sampling } = parseOptions('rag method', ragSchema, options)
  parseRolloutOptions({ searchEngine, topK, protocol, sampling })
  return {
    name: 'rag',
    async answer(question, context) {
      let text: string
      try {
        const documents = await searchEngine.search(question.question, { question, topK, seed: context.seed })
        text = protocol.observation(
          documents.slice(0, topK).map((document) => neutralizeDocument(document, policy.tokenizer)),
        )
      } catch (error) {
        return failedSearch(question, context, error)
      }
      const observation = fitObservation(policy.tokenizer, text, protocol.maxObservationTokens)
      const once = withoutSearch({ protocol, sampling }, (tokenizer, asked) =>
        prompts.rag(tokenizer, asked, observation.text),
      )
      const trajectory = await rollOut(policy, question, { ...once, ...context })
      return { ...trajectory, searches: 1 }
    },
  }
}

/** One message with an answer, from a prompt of the method's. */
function withoutSearch(
  { protocol, sampling }: { protocol: Protocol; sampling: Sampling },
  prompt: Protocol['prompt'],
): Omit<RolloutOptions, 'seed' | 'signal'> {
  return { searchEngine: NONE, protocol: { ...protocol, prompt }, maxSearches: 0, sampling }
}

const NONE: SearchEngine = {
  name: 'none',
  search: () => Promise.reject(new Error('search: this method has no search engine')),
}

function failedSearch(question: Question, { seed }: AnswerContext, error: unknown): Trajectory {
  return {
    question,
    turns: [],
    ids: [],
    lossMask: [],
    logprobs: [],
    promptLength: 0,
    answer: null,
    stopReason: 'failed',
    failure: { boundary: 'search', message: error instanceof Error ? error.message : String(error) },
    searches: 1,
    seed,
  }
}
