import type { Policy, Sampling } from '../policy/policy.js'
import { fitObservation } from '../rollout/fit-observation.js'
import { zerosearchProtocol } from '../rollout/protocol.js'
import type { Protocol } from '../rollout/protocol.js'
import { rollOut, rollOutMany } from '../rollout/roll-out.js'
import type { RolloutOptions } from '../rollout/rollout-options.js'
import type { Document } from '../schema/document.js'
import type { Question } from '../schema/question.js'
import type { Trajectory } from '../schema/trajectory.js'
import { neutralizeDocument } from '../search/neutralize.js'
import type { SearchEngine } from '../search/search-engine.js'
import { zerosearchBaselinePrompts } from './baseline-prompts.js'
import type { BaselinePrompts } from './baseline-prompts.js'
import { GREEDY } from './evaluate.js'
import type { Method } from './evaluate.js'
import { sideBySide } from './side-by-side.js'

export interface BaselineOptions {
  /** Limits, and how documents are shown; default ZeroSearch's. */
  protocol?: Protocol
  /** Default: for instruction-tuned and base models. */
  prompts?: BaselinePrompts
  /** Default greedy. */
  sampling?: Sampling
  signal?: AbortSignal
}

/** The model without any documents: what it knows by itself. */
export function directMethod(policy: Policy, options: BaselineOptions = {}): Method {
  const { prompts = zerosearchBaselinePrompts } = options
  return {
    name: 'direct',
    answer: (questions, onAnswer) => {
      const items = questions.map((question, i) => ({ question, seed: i }))
      return rollOutMany(
        policy,
        items,
        withoutSearch(options, (tokenizer, question) => prompts.direct(tokenizer, question)),
        onAnswer,
      )
    },
  }
}

export interface RagOptions extends BaselineOptions {
  searchEngine: SearchEngine
  /** Documents that are retrieved; default 5. */
  topK?: number
  /** Questions that are worked on at a time; default 64. */
  concurrency?: number
}

/** The model with the documents of one search for the question itself. */
export function ragMethod(policy: Policy, options: RagOptions): Method {
  return {
    name: 'rag',
    answer: (questions, onAnswer) =>
      sideBySide(questions, options.concurrency ?? 64, async (question, i) => {
        const trajectory = await answerFromDocuments(policy, question, i, options)
        onAnswer?.(trajectory)
        return trajectory
      }),
  }
}

async function answerFromDocuments(
  policy: Policy,
  question: Question,
  seed: number,
  options: RagOptions,
): Promise<Trajectory> {
  const { searchEngine, topK = 5, protocol = zerosearchProtocol, prompts = zerosearchBaselinePrompts } = options
  let documents: Document[]
  let text: string
  try {
    documents = (await searchEngine.search(question.question, { question, topK, seed })).slice(0, topK)
    text = protocol.observation(documents.map((document) => neutralizeDocument(document, policy.tokenizer)))
  } catch (error) {
    return failedSearch(question, seed, error)
  }
  const observation = fitObservation(policy.tokenizer, text, protocol.maxObservationTokens)
  const prompt: Protocol['prompt'] = (tokenizer, asked) => prompts.rag(tokenizer, asked, observation.text)
  const trajectory = await rollOut(policy, question, { ...withoutSearch(options, prompt), seed })
  return { ...trajectory, searches: 1 }
}

/** One message with an answer, from a prompt of one's own. */
function withoutSearch(options: BaselineOptions, prompt: Protocol['prompt']): Omit<RolloutOptions, 'seed'> {
  const { protocol = zerosearchProtocol, sampling = GREEDY, signal } = options
  return { searchEngine: NONE, protocol: { ...protocol, prompt }, maxSearches: 0, sampling, ...(signal && { signal }) }
}

const NONE: SearchEngine = {
  name: 'none',
  search: () => Promise.reject(new Error('search: this method has no search engine')),
}

function failedSearch(question: Question, seed: number, error: unknown): Trajectory {
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
