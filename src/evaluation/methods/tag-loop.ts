import { z } from 'zod'
import type { LanguageModel } from '../../language-model/language-model.js'
import type { Policy, Sampling } from '../../policy/policy.js'
import { extractAnswer } from '../../reward/extract-answer.js'
import { ACTION_ENDS, parseAction } from '../../rollout/parse-action.js'
import type { Protocol } from '../../rollout/protocol.js'
import { parseLimits } from '../../rollout/rollout-options.js'
import { anObject, parseOptions } from '../../schema/parse-options.js'
import type { Action, Observation } from '../../schema/trajectory.js'
import { neutralizeDocument } from '../../search/neutralize.js'
import type { SearchEngine } from '../../search/search-engine.js'
import { GREEDY } from '../method.js'
import type { Method } from '../method.js'
import { attempt } from './attempt.js'
import type { Attempt, Ending } from './attempt.js'
import {
  checkWriter,
  count,
  engineSchema,
  harmless,
  positiveInteger,
  promptSchema,
  samplingSchema,
} from './model-options.js'
import type { QuestionPrompt } from './model-options.js'
import { policyMethod } from './policy.js'
import { cutDocuments } from './rag.js'
import { isPolicy, openTranscript, withTranscript } from './transcript.js'

/** Options of `searchR1Method` and `zeroSearchMethod`. */
export interface TagLoopOptions {
  /** What answers searches: any engine, or a simulator where that is what you want to measure. */
  searchEngine: SearchEngine
  /** Shown in tables. Default: the method's. */
  name?: string
  /** Documents per search. Default 3 for Search-R1, 5 for ZeroSearch. */
  topK?: number
  /** Searches and corrections together; after the last one comes one more message. Default 4 for Search-R1, 5 for ZeroSearch. */
  maxSearches?: number
  /** Tags' wording and limits; for a policy its prompt too. Default: the method's. */
  protocol?: Protocol
  /** How a language model that is no local policy is asked. Default: the method's instruction as one message. */
  prompt?: QuestionPrompt
  /** How tokens are drawn. Default greedy. */
  sampling?: Sampling
}

/** What a method of this kind brings. */
interface Defaults {
  name: string
  topK: number
  protocol: Protocol
  prompt: QuestionPrompt
}

/** A method in ZeroSearch's tags. A policy plays it as in training, token by token; another model by stop strings. */
export function tagLoopMethod(
  operation: string,
  model: LanguageModel | Policy,
  options: TagLoopOptions,
  defaults: Defaults,
): Method {
  checkWriter(operation, model)
  const schema = z.strictObject({
    searchEngine: engineSchema,
    name: z.string().min(1).default(defaults.name),
    topK: positiveInteger.default(defaults.topK),
    maxSearches: count.exactOptional(),
    protocol: anObject<Protocol>('a protocol', ['prompt', 'observation']).default(defaults.protocol),
    prompt: promptSchema.default(() => defaults.prompt),
    sampling: samplingSchema.default(GREEDY),
  })
  const { name, prompt, ...rest } = parseOptions(operation, schema, options)
  const protocol = { ...rest.protocol, ...parseLimits(operation, rest.protocol) }
  if (isPolicy(model)) return policyMethod(name, model, rest)
  const asked = model
  const { maxSearches = protocol.maxSearches, searchEngine, topK, sampling } = rest
  const budget = budgetOf(maxSearches, protocol)

  async function observe(running: Attempt, action: Action): Promise<Observation> {
    if (action.kind !== 'search') return { text: protocol.correction, documents: [] }
    const documents = await running.search(searchEngine, action.query, topK)
    const text = protocol.observation(documents.map((document) => neutralizeDocument(document, asked)))
    return { text: cutDocuments(asked, text, protocol.maxObservationTokens), documents }
  }

  async function play(running: Attempt): Promise<Ending> {
    const question = prompt(harmless(running.question.question, asked))
    return withTranscript(openTranscript(asked, question, running, sampling), async (transcript) => {
      const said: string[] = []
      // Every turn but the last may be answered: with documents, or with a correction.
      for (let turns = 0; ; turns++) {
        const { text, ending } = await transcript.write(protocol.maxTokensPerTurn, ACTION_ENDS)
        said.push(text)
        const action = parseAction(text)
        const turn = running.say(text, action)
        const answer = extractAnswer(said)
        if (action.kind === 'answer') return { answer, stopReason: 'answer' }
        if (ending === 'full') return { answer, stopReason: 'maxTokens' }
        if (turns === maxSearches) return { answer, stopReason: 'maxTurns' }
        turn.observation = await observe(running, action)
        transcript.insert(turn.observation.text)
      }
    })
  }
  const settings = { model, ...rest, protocol, prompt, maxSearches }
  return { name, budget, settings, answer: (question, context) => attempt(question, context, budget, play) }
}

const budgetOf = (searches: number, { maxTokensPerTurn }: Protocol) => ({
  searches,
  turns: searches + 1,
  tokens: (searches + 1) * maxTokensPerTurn,
  pages: 0,
})
