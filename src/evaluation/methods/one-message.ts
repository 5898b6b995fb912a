import { z } from 'zod'
import type { LanguageModel } from '../../language-model/language-model.js'
import type { Sampling } from '../../policy/policy.js'
import { samplingSchema } from '../../policy/sampling-options.js'
import { extractAnswer } from '../../reward/extract-answer.js'
import { ACTION_ENDS, parseAction } from '../../rollout/parse-action.js'
import { zerosearchProtocol } from '../../rollout/protocol.js'
import type { Protocol } from '../../rollout/protocol.js'
import { anObject } from '../../schema/parse-options.js'
import type { Message } from '../../tokenizer/tokenizer.js'
import { GREEDY } from '../method.js'
import type { Attempt, Ending } from './attempt.js'
import { zerosearchBaselinePrompts } from './baseline-prompts.js'
import type { BaselinePrompts } from './baseline-prompts.js'
import { openTranscript, withTranscript } from './transcript.js'
import type { Written } from './transcript.js'

// What methods share that ask a language model once.

/** Options of `directMethod`. */
export interface BaselineOptions {
  /** Limits, and how documents are shown; default ZeroSearch's. */
  protocol?: Protocol
  /** How the question is asked. Default: for instruction-tuned and base models, `zerosearchBaselinePrompts`. */
  prompts?: BaselinePrompts
  /** How tokens are drawn. Default greedy. */
  sampling?: Sampling
}

export const baselineSchema = z.strictObject({
  protocol: anObject<Protocol>('a protocol', ['prompt', 'observation']).default(zerosearchProtocol),
  prompts: anObject<BaselinePrompts>('prompts', ['direct', 'rag']).default(zerosearchBaselinePrompts),
  sampling: samplingSchema.default(GREEDY),
})

/** One message of a model. */
export function writeOnce(
  attempt: Attempt,
  model: LanguageModel,
  prompt: string | Message[],
  { sampling, maxTokens, stop }: { sampling: Sampling; maxTokens: number; stop: readonly string[] },
): Promise<Written> {
  return withTranscript(openTranscript(model, prompt, attempt, sampling), (transcript) =>
    transcript.write(maxTokens, stop),
  )
}

/** One message with an answer in `<answer>` tags. */
export async function ask(
  attempt: Attempt,
  model: LanguageModel,
  prompt: string | Message[],
  { protocol, sampling }: { protocol: Protocol; sampling: Sampling },
): Promise<Ending> {
  const options = { sampling, maxTokens: protocol.maxTokensPerTurn, stop: ACTION_ENDS }
  const { text, ending } = await writeOnce(attempt, model, prompt, options)
  const action = parseAction(text)
  attempt.say(text, action)
  return { answer: extractAnswer([text]), stopReason: action.kind === 'answer' ? 'answer' : unanswered(ending) }
}

/** Why the last message gave no answer. */
export const unanswered = (ending: Written['ending']): 'maxTokens' | 'maxTurns' =>
  ending === 'length' || ending === 'full' ? 'maxTokens' : 'maxTurns'
