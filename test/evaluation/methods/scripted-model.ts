import type { Completion, CompletionOptions, LanguageModel } from '../../../src/language-model/language-model.js'
import type { AnswerContext } from '../../../src/evaluation/method.js'
import type { Document } from '../../../src/schema/document.js'
import type { Question } from '../../../src/schema/question.js'
import type { SearchEngine } from '../../../src/search/search-engine.js'
import type { Message } from '../../../src/tokenizer/tokenizer.js'

export interface ScriptedModel extends LanguageModel {
  /** What each call was given, messages joined as `role: content`. */
  asked: string[]
  options: CompletionOptions[]
}

/** A language model that writes what a script says, call by call, within tokens (characters) and stop strings. */
export function scriptedModel(
  script: readonly string[] | ((prompt: string, call: number, options: CompletionOptions) => string | Promise<string>),
  { tellsStop = true }: { tellsStop?: boolean } = {},
): ScriptedModel {
  const asked: string[] = []
  const options: CompletionOptions[] = []
  const write = typeof script === 'function' ? script : (_: string, call: number) => script[call] ?? ''
  return {
    name: 'scripted model',
    asked,
    options,
    async complete(prompt: string | readonly Message[], given: CompletionOptions = {}): Promise<Completion> {
      const text =
        typeof prompt === 'string' ? prompt : prompt.map(({ role, content }) => `${role}: ${content}`).join('\n')
      const call = asked.push(text) - 1
      options.push(given)
      const full = await write(text, call, given)
      const { stop = [], maxTokens = 512 } = given
      const places = stop.map((each) => ({ each, place: full.indexOf(each) })).filter(({ place }) => place >= 0)
      const first = places.sort((a, b) => a.place - b.place)[0]
      const counts = { promptTokens: text.length, completionTokens: Math.min(full.length, maxTokens) }
      if (first && first.place <= maxTokens) {
        const told = tellsStop ? { stopString: first.each } : {}
        return { text: full.slice(0, first.place), finishReason: 'stop', ...told, ...counts }
      }
      if (full.length > maxTokens) return { text: full.slice(0, maxTokens), finishReason: 'length', ...counts }
      return { text: full, finishReason: 'end', ...counts }
    },
  }
}

export interface RecordedEngine extends SearchEngine {
  queries: string[]
}

/** An engine that gives what a function says, and records what it was asked. */
export function recordedEngine(find: (query: string) => Omit<Document, 'rank'>[] | Error): RecordedEngine {
  const queries: string[] = []
  return {
    name: 'recorded',
    queries,
    search(query) {
      queries.push(query)
      const found = find(query)
      if (found instanceof Error) return Promise.reject(found)
      return Promise.resolve(found.map((document, i) => ({ ...document, rank: i + 1 })))
    },
  }
}

export const question: Question = { id: 'd-test-1', dataset: 'd', question: 'Who is n1?', goldAnswers: ['Ada'] }

export const context = (seed = 0): AnswerContext => ({ seed, signal: new AbortController().signal })
