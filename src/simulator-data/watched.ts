import { z } from 'zod'
import type { Completion, LanguageModel } from '../language-model/language-model.js'
import { documentSchema } from '../schema/record-schemas.js'
import type { SearchEngine } from '../search/search-engine.js'
import type { CollectedSearch, Spent } from './attempt.js'

const found = z.array(documentSchema)

/** An engine that notes every search it answers, whatever the method makes of it. What is no list of documents is not noted. */
export function watchedEngine(engine: SearchEngine, searches: CollectedSearch[]): SearchEngine {
  return {
    name: engine.name,
    async search(query, context) {
      const place = searches.push({ query, documents: [] }) - 1
      const documents = await engine.search(query, context)
      const { data } = found.safeParse(documents)
      if (data) searches[place]!.documents = data.slice(0, context.topK)
      return documents
    },
  }
}

/** A language model that counts what it is asked. */
export function countedModel(model: LanguageModel, count: (spent: Spent) => void): LanguageModel {
  const { contextLength, specialTokens, parameters } = model
  return {
    name: model.name,
    ...(contextLength !== undefined && { contextLength }),
    ...(specialTokens && { specialTokens }),
    ...(parameters && { parameters }),
    ...(model.truncate && { truncate: (text: string, maxTokens: number) => model.truncate!(text, maxTokens) }),
    async complete(prompt, options) {
      const completion = await model.complete(prompt, options)
      count(spentOn(completion))
      return completion
    },
  }
}

const spentOn = ({ promptTokens, completionTokens, cost }: Completion): Spent => ({
  completions: 1,
  promptTokens,
  completionTokens,
  ...(cost !== undefined && { cost }),
})
