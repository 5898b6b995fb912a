// A small corpus of another kind than the mini world: towns and their rivers, and an LLM that follows a script.
import type { LanguageModel } from '../../src/language-model/language-model.js'
import type { Question } from '../../src/schema/question.js'
import type { Document } from '../../src/schema/document.js'
import type { SearchEngine } from '../../src/search/search-engine.js'
import type { Message } from '../../src/tokenizer/tokenizer.js'

export const COUNT = 24

export const questions: Question[] = Array.from({ length: COUNT }, (_, i) => ({
  id: `rivers-${i}`,
  dataset: 'rivers',
  question: `Which river flows through Town${i}?`,
  goldAnswers: [`River${i}`],
}))

const title = (i: number): string => `Town${i % COUNT}`

/** Three documents about a town: its river, its market, and another town's river. */
export const documentsOf = (i: number): Document[] => [
  { title: title(i), text: `The River${i} flows through the old town, past the mill.`, rank: 1 },
  { title: title(i), text: `A market is held in Town${i} every\n Saturday.`, rank: 2 },
  { title: title(i + 1), text: `The River${(i + 1) % COUNT} flows through the old town, past the mill.`, rank: 3 },
]

export const engine = (documents: (i: number, query: string) => Document[] = documentsOf): SearchEngine => ({
  name: 'rivers',
  search: (query, { topK }) => Promise.resolve(documents(Number(/\d+/.exec(query)?.[0] ?? 0), query).slice(0, topK)),
})

/** Searches once, and answers rightly where `knows`. */
export function player(
  knows: (i: number) => boolean,
  say: (i: number) => string = (i) => (knows(i) ? `River${i}` : 'the sea'),
): LanguageModel & { asked: number } {
  return {
    name: 'script',
    asked: 0,
    complete(prompt) {
      this.asked++
      const messages = prompt as Message[]
      const i = Number(/Town(\d+)\?/.exec(messages[0]!.content)![1])
      const text = messages.length === 1 ? `<search> river of Town${i} </search>` : `<answer> ${say(i)} </answer>`
      return Promise.resolve({ text, finishReason: 'end', promptTokens: 10, completionTokens: 3, cost: 0.5 })
    },
  }
}
