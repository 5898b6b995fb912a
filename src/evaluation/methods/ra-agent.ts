import { z } from 'zod'
import type { LanguageModel } from '../../language-model/language-model.js'
import type { Policy, Sampling } from '../../policy/policy.js'
import { parseOptions } from '../../schema/parse-options.js'
import type { Action, Observation } from '../../schema/trajectory.js'
import type { SearchEngine } from '../../search/search-engine.js'
import type { Method } from '../method.js'
import { attempt } from './attempt.js'
import type { Attempt, Ending } from './attempt.js'
import { boxedAnswer } from './boxed.js'
import { NO_BOX } from './cot.js'
import {
  checkWriter,
  count,
  engineSchema,
  harmless,
  positiveInteger,
  promptSchema,
  samplingSchema,
  SEARCH_O1_SAMPLING,
} from './model-options.js'
import type { QuestionPrompt } from './model-options.js'
import { unanswered } from './one-message.js'
import { fetchPageSchema, Pages } from './pages.js'
import type { FetchPage } from './pages.js'
import {
  BEGIN_PAGE,
  BEGIN_QUERY,
  BEGIN_URL,
  END_PAGE,
  END_QUERY,
  END_URL,
  lastBetween,
  NOTICES,
  result,
  SEARCH_O1_TAGS,
} from './search-o1-tags.js'
import { openTranscript, withTranscript } from './transcript.js'

/** Options of `raAgentMethod`. */
export interface RaAgentOptions {
  /** Where snippets come from. */
  searchEngine: SearchEngine
  /** Fetches pages whole, such as `zs.readPage`. Default: none; a page is then the document that was found. */
  fetchPage?: FetchPage
  /** Documents per search. Default 5, as the code for questions (the paper says 10). */
  topK?: number
  /** Searches that reach the engine. Default 5. */
  maxSearches?: number
  /** Pages that are fetched. Default 5. */
  maxPages?: number
  /** Messages of the model. Default 10. */
  maxTurns?: number
  /** Most tokens of a message. Default 8192; a shorter context ends it before. */
  maxTokensPerTurn?: number
  /** Characters of a page that the model is shown. Default 8000. */
  maxPageCharacters?: number
  /** How the question is asked. Default: a prompt of ours that explains the tags. */
  prompt?: QuestionPrompt
  /** How tokens are drawn. Default: temperature 0.7, top-p 0.8, top-k 20. */
  sampling?: Sampling
}

const schema = z.strictObject({
  searchEngine: engineSchema,
  fetchPage: fetchPageSchema.exactOptional(),
  topK: positiveInteger.default(5),
  maxSearches: count.default(5),
  maxPages: count.default(5),
  maxTurns: positiveInteger.default(10),
  maxTokensPerTurn: positiveInteger.default(8192),
  maxPageCharacters: positiveInteger.default(8000),
  prompt: promptSchema.exactOptional(),
  sampling: samplingSchema.default(SEARCH_O1_SAMPLING),
})

const raAgentPrompt =
  (searches: number, pages: number): QuestionPrompt =>
  (question) => [
    {
      role: 'user',
      content:
        'Answer the question below. Think step by step. You can use two tools.\n' +
        `- Web search: write ${BEGIN_QUERY} your query ${END_QUERY}. You are then shown title, address and a snippet of the best ` +
        'pages, between result tags.\n' +
        `- Page reader: write ${BEGIN_URL} address, another address ${END_URL} with addresses that a search has shown. You are ` +
        'then shown the pages.\n' +
        `You may search ${searches} times and fetch ${pages} pages. Go on thinking after each result. End with the answer alone in ` +
        `the form \\boxed{answer}.\n\nQuestion: ${question}`,
    },
  ]

/**
 * RA-Agent: a language model that reasons, and searches and opens pages by itself. Its name is `ra-agent`.
 *
 * It follows the agentic RAG baseline of Search-o1 (arXiv 2501.05366, section 4.2; scripts/run_rag_agent.py), which ZeroSearch
 * calls RA-Agent: `<|begin_search_query|>` gives snippets as JSON, `<|begin_url|>` whole pages; five searches, five pages, ten
 * messages; the answer is the last `\boxed{}`. When turns run out no answer is asked for. Departures: the wording is ours; a
 * repeated query or address gets a notice (upstream adds nothing, and the model goes round in circles); an empty query gets a
 * notice; snippets have no markup; what cannot be fetched is named as such and is no page; only addresses that a search has
 * shown are fetched; boxes are read with braces balanced, from the model's own text.
 * @throws where an option is not what it must be
 * @example
 * const method = zs.raAgentMethod(model, { searchEngine: engine, maxSearches: 3 })
 * const scores = await zs.evaluate({ methods: [method], questions })
 */
export function raAgentMethod(model: LanguageModel | Policy, options: RaAgentOptions): Method {
  checkWriter('ra-agent method', model)
  const checked = parseOptions('ra-agent method', schema, options)
  const { maxSearches, maxPages, maxTurns, maxTokensPerTurn, sampling } = checked
  const prompt = checked.prompt ?? raAgentPrompt(maxSearches, maxPages)
  const budget = { searches: maxSearches, turns: maxTurns, tokens: maxTurns * maxTokensPerTurn, pages: maxPages }

  async function play(running: Attempt): Promise<Ending> {
    const asked = prompt(harmless(running.question.question, model, SEARCH_O1_TAGS))
    const tools = new Tools(running, model, checked)
    return withTranscript(openTranscript(model, asked, running, sampling), async (transcript) => {
      const said: string[] = []
      for (;;) {
        const { text, ending } = await transcript.write(maxTokensPerTurn, [END_QUERY, END_URL])
        said.push(text)
        const answer = boxedAnswer(said)
        const query = lastBetween(text, BEGIN_QUERY, END_QUERY)
        const urls = lastBetween(text, BEGIN_URL, END_URL)
        if (query === undefined && urls === undefined) {
          running.say(text, answer === null ? { kind: 'invalid', cause: NO_BOX } : { kind: 'answer', answer })
          return { answer, stopReason: answer === null ? unanswered(ending) : 'answer' }
        }
        const action = toolAction(query, urls)
        const turn = running.say(text, action)
        if (said.length === maxTurns || ending === 'full')
          return { answer, stopReason: ending === 'full' ? 'maxTokens' : 'maxTurns' }
        turn.observation = action.kind === 'read' ? await tools.fetch(action.urls) : await tools.search(query ?? '')
        transcript.insert(turn.observation.text)
      }
    })
  }
  const settings = { model, ...checked }
  return { name: 'ra-agent', budget, settings, answer: (question, context) => attempt(question, context, budget, play) }
}

function toolAction(query: string | undefined, urls: string | undefined): Action {
  if (urls !== undefined)
    return {
      kind: 'read',
      urls: urls
        .split(/[\s,]+/)
        .map((url) => url.trim())
        .filter((url) => url !== ''),
    }
  return query === undefined || query === ''
    ? { kind: 'invalid', cause: 'the query is empty' }
    : { kind: 'search', query }
}

/** What the model's tags give. */
class Tools {
  private readonly queries = new Set<string>()
  private readonly fetched = new Set<string>()
  private readonly pages: Pages

  constructor(
    private readonly attempt: Attempt,
    private readonly model: LanguageModel | Policy,
    private readonly options: z.output<typeof schema>,
  ) {
    this.pages = new Pages(attempt, options.fetchPage)
  }

  async search(query: string): Promise<Observation> {
    const { maxSearches, searchEngine, topK } = this.options
    if (this.queries.size >= maxSearches) return notice(NOTICES.limit)
    if (query === '') return notice(NOTICES.empty)
    if (this.queries.has(query)) return notice(NOTICES.repeated)
    this.queries.add(query)
    const documents = await this.attempt.search(searchEngine, query, topK)
    const listed = documents.map((document) => ({
      title: this.plain(withoutMarkup(document.title ?? '')),
      url: this.plain(this.pages.show(document)),
      snippet: this.plain(withoutMarkup(document.text)),
    }))
    return { text: result(JSON.stringify(listed, null, 2)), documents }
  }

  async fetch(urls: readonly string[]): Promise<Observation> {
    const { maxPages, maxPageCharacters } = this.options
    if (this.fetched.size >= maxPages) return notice(NOTICES.pageLimit)
    const isNew = (url: string, i: number): boolean =>
      urls.indexOf(url) === i && !this.fetched.has(url) && this.pages.isShown(url)
    const wanted = urls.filter(isNew).slice(0, maxPages - this.fetched.size)
    if (wanted.length === 0) return notice(NOTICES.pagesKnown)
    for (const url of wanted) this.fetched.add(url)
    const texts = await Promise.all(wanted.map((url) => this.pages.read(url)))
    const read = wanted.map((url, i) => [
      url,
      this.plain((texts[i] ?? 'This page could not be fetched.').slice(0, maxPageCharacters)),
    ])
    const page = `\n\n${BEGIN_PAGE}\n${JSON.stringify(Object.fromEntries(read), null, 2)}\n${END_PAGE}\n\n`
    const full = this.fetched.size >= maxPages ? result(NOTICES.pageLimit) : ''
    return { text: page + full, documents: [] }
  }

  private plain(text: string): string {
    return harmless(text, this.model, SEARCH_O1_TAGS)
  }
}

const notice = (text: string): Observation => ({ text: result(text), documents: [] })

/** Search services set the words of the query in bold. */
const withoutMarkup = (text: string): string => text.replace(/<\/?(?:b|strong|em)>/g, '')
