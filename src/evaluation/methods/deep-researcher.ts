import { z } from 'zod'
import type { LanguageModel } from '../../language-model/language-model.js'
import type { Policy, Sampling } from '../../policy/policy.js'
import { extractAnswer } from '../../reward/extract-answer.js'
import { aFunction, parseOptions } from '../../schema/parse-options.js'
import type { Action, Observation } from '../../schema/trajectory.js'
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
  modelSchema,
  positiveInteger,
  promptSchema,
  samplingSchema,
} from './model-options.js'
import type { QuestionPrompt } from './model-options.js'
import { unanswered } from './one-message.js'
import { fetchPageSchema, Pages } from './pages.js'
import type { FetchPage } from './pages.js'
import { browsePrompt, Browser } from './browser.js'
import type { BrowsePrompt } from './browser.js'
import { lastBetween } from './search-o1-tags.js'
import { isPolicy, openTranscript, withTranscript } from './transcript.js'

/** Options of `deepResearcherMethod`. */
export interface DeepResearcherOptions {
  /** Where pages are found. */
  searchEngine: SearchEngine
  /** Fetches pages whole, such as `zs.readPage`. Default: none; a page is then the document that was found. */
  fetchPage?: FetchPage
  /** Reads pages part by part and notes facts. Default: the model itself, which must then be a language model. */
  reader?: LanguageModel
  /** Shown in tables. Default `deep-researcher`. */
  name?: string
  /** Documents per query. Default 10. */
  topK?: number
  /** Queries of one call that are searched. Default 3. */
  maxQueries?: number
  /** Messages of the policy in all, as in the code (the paper allows ten calls and then an answer). Default 10. */
  maxTurns?: number
  /** Most tokens of a message. Default 2000. */
  maxTokensPerTurn?: number
  /** Characters of one part of a page. Default 40,960. */
  partCharacters?: number
  /** Parts of one page that are read. Default 10; upstream has no limit. */
  maxParts?: number
  /** Pages that are read. Default 20; upstream has no limit. */
  maxPages?: number
  /** How the question is asked. Default: a prompt of ours that explains the tools. */
  prompt?: QuestionPrompt
  /** How the reader is asked. Default: a prompt of ours; its reply is to be JSON. */
  readerPrompt?: BrowsePrompt
  /** How the policy's tokens are drawn. Default greedy. */
  sampling?: Sampling
  /** How the reader's are. Default: temperature 0.6. */
  readerSampling?: Sampling
}

const schema = z.strictObject({
  searchEngine: engineSchema,
  fetchPage: fetchPageSchema.exactOptional(),
  reader: modelSchema.exactOptional(),
  name: z.string().min(1).default('deep-researcher'),
  topK: positiveInteger.default(10),
  maxQueries: positiveInteger.default(3),
  maxTurns: positiveInteger.default(10),
  maxTokensPerTurn: positiveInteger.default(2000),
  partCharacters: positiveInteger.default(40_960),
  maxParts: positiveInteger.default(10),
  maxPages: count.default(20),
  prompt: promptSchema.default(() => deepResearcherPrompt),
  readerPrompt: aFunction<BrowsePrompt>().default(() => browsePrompt),
  sampling: samplingSchema.default(GREEDY),
  readerSampling: samplingSchema.default({ temperature: 0.6, topP: 1, topK: 0 }),
})

const deepResearcherPrompt: QuestionPrompt = (question) => [
  {
    role: 'user',
    content:
      'Answer the question below by searching the web and reading pages. In each message, think first, between <think> and ' +
      '</think>. Then either call one tool:\n' +
      '<tool_call>\n{"name": "web_search", "arguments": {"query": ["first query", "second query"]}}\n</tool_call>\n' +
      'shows title, url and a snippet of pages for up to three queries;\n' +
      '<tool_call>\n{"name": "browse_webpage", "arguments": {"url_list": ["url", "url"]}}\n</tool_call>\n' +
      'shows what pages of the latest search say. Or, once nothing more is needed, write the answer alone between <answer> and ' +
      `</answer>.\n\nQuestion: ${question}`,
  },
]

export const TOOL_TAGS: readonly string[] = ['<tool_call>', '</tool_call>', '<tool_response>', '</tool_response>']

/**
 * DeepResearcher: a policy trained by RL in the open web. It thinks, calls `web_search` or `browse_webpage`, and answers; a
 * second model reads the pages for it. Its name is `deep-researcher`.
 *
 * It follows DeepResearcher (arXiv 2504.03160, section 3; scrl/llm_agent/generation.py, scrl/handler). An answer wins over a
 * call in the same message; a message that is neither ends the question without an answer; of one call's queries three are
 * searched; only addresses of the latest search are browsed; the reader goes through a page part by part, with the facts that
 * it noted for the same query before it, until it asks for no more; facts are told once. Departures: the wording is ours; a
 * search that fails is a failed question (upstream: an empty list), a page that cannot be fetched has no facts; queries beyond
 * the third are not searched at all; pages are read one after the other, so that the memory does not depend on who is faster;
 * a reader that asks for more at the last part is done (upstream loops); there are limits of pages and parts; no cache of
 * seven days. The checkpoint is GAIR/DeepResearcher-7b; another model plays its protocol untrained: give it a `name` that says so.
 * A policy's messages begin in an opened `<think>`, other models write it themselves.
 * @throws where an option is not what it must be
 * @example
 * const method = zs.deepResearcherMethod(model, { searchEngine: engine, maxTurns: 5 })
 * const scores = await zs.evaluate({ methods: [method], questions })
 */
export function deepResearcherMethod(model: LanguageModel | Policy, options: DeepResearcherOptions): Method {
  checkWriter('deep-researcher method', model)
  const checked = parseOptions('deep-researcher method', schema, options)
  const { name, prompt, sampling, maxTurns, maxTokensPerTurn, maxPages, maxParts, maxQueries } = checked
  const { reader = model } = checked
  if (!('complete' in reader) || typeof reader.complete !== 'function') {
    throw new Error('deep-researcher method: reader must be given where the model is a policy alone, got none')
  }
  const turns = maxTurns + maxPages * maxParts
  const budget = { searches: maxQueries * (maxTurns - 1), turns, tokens: turns * maxTokensPerTurn, pages: maxPages }

  async function play(running: Attempt): Promise<Ending> {
    const asked = prompt(harmless(running.question.question, model, TOOL_TAGS))
    const tools = new Tools(running, model, reader as LanguageModel, checked)
    const opening = isPolicy(model) ? '<think>' : ''
    return withTranscript(openTranscript(model, asked, running, sampling, opening), async (transcript) => {
      for (let turns = 1; ; turns++) {
        const { text, ending } = await transcript.write(maxTokensPerTurn, ['</answer>', '</tool_call>'])
        const step = parseStep(text)
        const turn = running.say(text, actionOf(step, maxQueries))
        if (step.kind === 'answer') return { answer: step.answer, stopReason: 'answer' }
        if (step.kind === 'invalid') return { answer: null, stopReason: unanswered(ending) }
        if (turns === maxTurns || ending === 'full')
          return { answer: null, stopReason: ending === 'full' ? 'maxTokens' : 'maxTurns' }
        turn.observation = step.kind === 'search' ? await tools.search(step.queries) : await tools.browse(step.urls)
        transcript.insert(`${turn.observation.text}${opening}`)
      }
    })
  }
  const settings = { model, ...checked }
  return { name, budget, settings, answer: (question, context) => attempt(question, context, budget, play) }
}

type Step =
  | { kind: 'answer'; answer: string }
  | { kind: 'search'; queries: string[] }
  | { kind: 'read'; urls: string[] }
  | { kind: 'invalid'; cause: string }

const texts = z
  .union([z.string(), z.array(z.string())])
  .transform((given) =>
    (typeof given === 'string' ? [given] : given).map((text) => text.trim()).filter((text) => text !== ''),
  )
  .pipe(z.array(z.string()).min(1))
const call = z.union([
  z
    .object({ name: z.literal('web_search'), arguments: z.object({ query: texts }) })
    .transform(({ arguments: { query } }): Step => ({ kind: 'search', queries: query })),
  z
    .object({ name: z.literal('browse_webpage'), arguments: z.object({ url_list: texts }) })
    .transform(({ arguments: { url_list } }): Step => ({ kind: 'read', urls: url_list })),
])

/** What a message asks for; each is read by itself. */
function parseStep(text: string): Step {
  const answer = extractAnswer([text])
  if (answer !== null) return { kind: 'answer', answer }
  const json = lastBetween(text, '<tool_call>', '</tool_call>')
  if (json === undefined) return { kind: 'invalid', cause: 'there is neither a complete <tool_call> nor an <answer>' }
  const parsed = call.safeParse(parseJson(json))
  return parsed.success
    ? parsed.data
    : { kind: 'invalid', cause: 'the tool call is none of web_search and browse_webpage' }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const actionOf = (step: Step, maxQueries: number): Action =>
  step.kind === 'search' ? { kind: 'search', query: step.queries.slice(0, maxQueries).join('; ') } : step

/** What a tool call gives. */
class Tools {
  private readonly pages: Pages
  private readonly browser: Browser
  /** The pages of the latest search, and the query that found each. */
  private latest = new Map<string, string>()

  constructor(
    private readonly attempt: Attempt,
    private readonly model: LanguageModel | Policy,
    reader: LanguageModel,
    private readonly options: z.output<typeof schema>,
  ) {
    const { fetchPage, readerPrompt: prompt, readerSampling: sampling, maxTokensPerTurn: maxTokens } = options
    const { partCharacters, maxParts } = options
    this.pages = new Pages(attempt, fetchPage)
    this.browser = new Browser(attempt, this.pages, { reader, prompt, sampling, maxTokens, partCharacters, maxParts })
  }

  async search(queries: readonly string[]): Promise<Observation> {
    const { searchEngine, topK, maxQueries } = this.options
    const asked = queries.slice(0, maxQueries)
    const found = await Promise.all(asked.map((query) => this.attempt.search(searchEngine, query, topK)))
    this.latest = new Map()
    const listed = asked.map((query, i) => ({
      query,
      pages: found[i]!.map((document) => {
        const url = this.pages.show(document)
        if (!this.latest.has(url)) this.latest.set(url, query)
        return { title: this.plain(document.title ?? ''), url: this.plain(url), snippet: this.plain(document.text) }
      }),
    }))
    return { text: response(listed), documents: found.flat() }
  }

  async browse(urls: readonly string[]): Promise<Observation> {
    const told: { url: string; information: string[] }[] = []
    for (const url of new Set(urls)) {
      const query = this.latest.get(url)
      if (query === undefined || !this.mayRead(url)) continue
      const facts = await this.browser.browse(url, query)
      told.push({ url: this.plain(url), information: facts.map((fact) => this.plain(fact)) })
    }
    return { text: response(told), documents: [] }
  }

  private mayRead(url: string): boolean {
    return this.pages.isRead(url) || this.attempt.spent.pages < this.options.maxPages
  }

  private plain(text: string): string {
    return harmless(text, this.model, TOOL_TAGS)
  }
}

const response = (value: unknown): string => `\n<tool_response>\n${JSON.stringify(value, null, 2)}\n</tool_response>\n`
