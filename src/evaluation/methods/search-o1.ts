import { z } from 'zod'
import type { LanguageModel } from '../../language-model/language-model.js'
import type { Sampling } from '../../policy/policy.js'
import { aFunction, parseOptions } from '../../schema/parse-options.js'
import type { Observation } from '../../schema/trajectory.js'
import type { SearchEngine } from '../../search/search-engine.js'
import type { Method } from '../method.js'
import { attempt } from './attempt.js'
import type { Attempt, Ending } from './attempt.js'
import { boxedAnswer } from './boxed.js'
import { cotPrompt, NO_BOX } from './cot.js'
import {
  checkModel,
  count,
  engineSchema,
  harmless,
  modelSchema,
  positiveInteger,
  promptSchema,
  samplingSchema,
  SEARCH_O1_SAMPLING,
} from './model-options.js'
import type { QuestionPrompt } from './model-options.js'
import { unanswered } from './one-message.js'
import { fetchPageSchema, Pages, pageWindow } from './pages.js'
import type { FetchPage } from './pages.js'
import { readerPrompt, reasonInDocuments } from './reason-in-documents.js'
import type { ReaderPrompt } from './reason-in-documents.js'
import { BEGIN_QUERY, END_QUERY, lastBetween, NOTICES, result, SEARCH_O1_TAGS } from './search-o1-tags.js'
import { openTranscript, withTranscript } from './transcript.js'

/** Options of `searchO1Method`. */
export interface SearchO1Options {
  /** Where pages are found. */
  searchEngine: SearchEngine
  /** Fetches pages whole, such as `zs.readPage`. Default: none; a page is then the document that was found. */
  fetchPage?: FetchPage
  /** Reads the pages of a search (reason-in-documents). Default: the model itself. */
  reader?: LanguageModel
  /** Documents per search. Default 10. */
  topK?: number
  /** Searches that reach the engine. Default 10, for questions of several hops; upstream has 5 for those of one. */
  maxSearches?: number
  /** Messages of the policy. Default 15. */
  maxTurns?: number
  /** Most tokens of a message of policy or reader. Default 8192; a shorter context ends it before. */
  maxTokensPerTurn?: number
  /** Characters of a page on either side of what a search found in it. Default 3000. */
  pageCharacters?: number
  /** True asks once without documents where no answer came, as the paper does. Default false, as the code. */
  backOff?: boolean
  /** How the question is asked. Default: a prompt of ours that explains the tags. */
  prompt?: QuestionPrompt
  /** How the reader is asked. Default: a prompt of ours. */
  readerPrompt?: ReaderPrompt
  /** How tokens are drawn. Default: temperature 0.7, top-p 0.8, top-k 20. */
  sampling?: Sampling
}

const schema = z.strictObject({
  searchEngine: engineSchema,
  fetchPage: fetchPageSchema.exactOptional(),
  reader: modelSchema.exactOptional(),
  topK: positiveInteger.default(10),
  maxSearches: count.default(10),
  maxTurns: positiveInteger.default(15),
  maxTokensPerTurn: positiveInteger.default(8192),
  pageCharacters: positiveInteger.default(3000),
  backOff: z.boolean().default(false),
  prompt: promptSchema.exactOptional(),
  readerPrompt: aFunction<ReaderPrompt>().default(() => readerPrompt),
  sampling: samplingSchema.default(SEARCH_O1_SAMPLING),
})

const searchO1Prompt =
  (searches: number): QuestionPrompt =>
  (question) => [
    {
      role: 'user',
      content:
        'Answer the question below. Think step by step. Whenever you are not sure of a fact, search the web: write ' +
        `${BEGIN_QUERY} your query ${END_QUERY}. What the web says is then inserted between result tags, and you go on thinking. ` +
        `You may search ${searches} times. End with the answer alone in the form \\boxed{answer}.\n\nQuestion: ${question}`,
    },
  ]

/**
 * Search-o1: a reasoning model that searches while it thinks; a second call reads the pages, and what it made of them is
 * inserted in their place. Its name is `search-o1`.
 *
 * It follows Search-o1 (arXiv 2501.05366, sections 3.2 and 3.3, algorithm 1; scripts/run_search_o1.py): a message that ends
 * with the query tag is answered; under the limit and new, it is searched; at the limit, or a repeated one, it gets a notice.
 * The reader is given the shortened reasoning, the query and the pages, not the question. The answer is the last `\boxed{}`;
 * when turns run out none is asked for. Departures: the wording is ours; a **Final Information** heading counts at the very
 * beginning too, and its lines are joined by blanks, not glued; of a page that cannot be fetched the snippet is read; pages
 * take half of a reader's context where that is known; an empty query gets a notice; the window is cut
 * out of the whole page (upstream: out of its first 8000 characters); no repetition penalty; boxes are read with braces
 * balanced, from the policy's own text.
 * @throws where an option is not what it must be
 * @example
 * const method = zs.searchO1Method(model, { searchEngine: engine, topK: 5, maxSearches: 5 })
 * const scores = await zs.evaluate({ methods: [method], questions })
 */
export function searchO1Method(model: LanguageModel, options: SearchO1Options): Method {
  checkModel('search-o1 method', model)
  const checked = parseOptions('search-o1 method', schema, options)
  const { maxSearches, maxTurns, maxTokensPerTurn, sampling, backOff } = checked
  const prompt = checked.prompt ?? searchO1Prompt(maxSearches)
  const turns = maxTurns + maxSearches + (backOff ? 1 : 0)
  const budget = { searches: maxSearches, turns, tokens: turns * maxTokensPerTurn, pages: maxSearches * checked.topK }

  async function think(running: Attempt): Promise<Ending> {
    const asked = prompt(harmless(running.question.question, model, SEARCH_O1_TAGS))
    const web = new Web(running, model, checked)
    return withTranscript(openTranscript(model, asked, running, sampling), async (transcript) => {
      const said: string[] = []
      let reasoning = ''
      for (;;) {
        const { text, ending } = await transcript.write(maxTokensPerTurn, [END_QUERY])
        said.push(text)
        reasoning += text
        const answer = boxedAnswer(said)
        const query = text.endsWith(END_QUERY) ? lastBetween(text, BEGIN_QUERY, END_QUERY) : undefined
        if (query === undefined) {
          running.say(text, answer === null ? { kind: 'invalid', cause: NO_BOX } : { kind: 'answer', answer })
          return { answer, stopReason: answer === null ? unanswered(ending) : 'answer' }
        }
        const turn = running.say(text, query === '' ? EMPTY : { kind: 'search', query })
        if (said.length === maxTurns || ending === 'full')
          return { answer, stopReason: ending === 'full' ? 'maxTokens' : 'maxTurns' }
        turn.observation = await web.search(query, reasoning)
        transcript.insert(turn.observation.text)
        reasoning += turn.observation.text
      }
    })
  }

  async function play(running: Attempt): Promise<Ending> {
    const ending = await think(running)
    if (ending.answer !== null || !backOff) return ending
    const asked = cotPrompt(harmless(running.question.question, model))
    const { text } = await running.complete(model, asked, { ...sampling, maxTokens: maxTokensPerTurn }, BACK_OFF)
    const answer = boxedAnswer([text])
    running.say(text, answer === null ? { kind: 'invalid', cause: NO_BOX } : { kind: 'answer', answer })
    return answer === null ? ending : { answer, stopReason: 'answer' }
  }
  const settings = { model, ...checked }
  return {
    name: 'search-o1',
    budget,
    settings,
    answer: (question, context) => attempt(question, context, budget, play),
  }
}

const EMPTY = { kind: 'invalid', cause: 'the query is empty' } as const
/** Tells draws of the back-off from others of the question. */
const BACK_OFF = 0xbac0

/** What the query tag gives. */
class Web {
  private readonly queries = new Set<string>()
  private readonly pages: Pages

  constructor(
    private readonly attempt: Attempt,
    private readonly model: LanguageModel,
    private readonly options: z.output<typeof schema>,
  ) {
    this.pages = new Pages(attempt, options.fetchPage)
  }

  async search(query: string, reasoning: string): Promise<Observation> {
    const { searchEngine, topK, maxSearches, maxTokensPerTurn, sampling, ...options } = this.options
    if (query === '') return notice(NOTICES.empty)
    if (this.queries.size >= maxSearches) return notice(NOTICES.limit)
    if (this.queries.has(query)) return notice(NOTICES.repeated)
    this.queries.add(query)
    const documents = await this.attempt.search(searchEngine, query, topK)
    const urls = documents.map((document) => this.pages.show(document))
    const texts = await Promise.all(urls.map((url) => this.pages.read(url)))
    const pages = documents.map(({ title, text: snippet }, i) => {
      const page = pageWindow(texts[i] ?? snippet, snippet, options.pageCharacters)
      return `**Web page ${i + 1}** ${title ?? ''}\n${page}\n`
    })
    const readers = {
      reader: options.reader ?? this.model,
      policy: this.model,
      prompt: options.readerPrompt,
      sampling,
      maxTokens: maxTokensPerTurn,
    }
    const information = await reasonInDocuments(this.attempt, readers, { reasoning, query, pages })
    return { text: result(information), documents }
  }
}

const notice = (text: string): Observation => ({ text: result(text), documents: [] })
