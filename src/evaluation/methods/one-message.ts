import { z } from 'zod'
import type { Completion, LanguageModel } from '../../language-model/language-model.js'
import type { Sampling } from '../../policy/policy.js'
import { samplingSchema } from '../../policy/sampling-options.js'
import { extractAnswer } from '../../reward/extract-answer.js'
import { newTrajectory } from '../../rollout/new-trajectory.js'
import { ACTION_ENDS, parseAction } from '../../rollout/parse-action.js'
import { zerosearchProtocol } from '../../rollout/protocol.js'
import type { Protocol } from '../../rollout/protocol.js'
import { anObject } from '../../schema/parse-options.js'
import type { Question } from '../../schema/question.js'
import type { FailureBoundary, Trajectory } from '../../schema/trajectory.js'
import { neutralize } from '../../search/neutralize.js'
import type { Message } from '../../tokenizer/tokenizer.js'
import { GREEDY } from '../method.js'
import type { AnswerContext } from '../method.js'
import { zerosearchBaselinePrompts } from './baseline-prompts.js'
import type { BaselinePrompts } from './baseline-prompts.js'

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

/** One message with an answer. A failure of the model is recorded; the signal's reason is thrown. */
export async function ask(
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
      ...newTrajectory(question, seed),
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

/** The trajectory of a question that could not be answered. */
export const failed = (
  question: Question,
  { seed }: AnswerContext,
  boundary: FailureBoundary,
  error: unknown,
): Trajectory => ({
  ...newTrajectory(question, seed),
  stopReason: 'failed',
  failure: { boundary, message: error instanceof Error ? error.message : String(error) },
})
