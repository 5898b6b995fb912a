import { z } from 'zod'
import { addressSchema, checkSecrets, serverShape } from '../http/options.js'
import type { ServerOptions } from '../http/options.js'
import { RequestFailure } from '../http/request-failure.js'
import type { Document } from '../schema/document.js'
import { aFunction, parseOptions } from '../schema/parse-options.js'
import { googleKey, serpApiKey } from '../schema/settings.js'
import { readPage } from './page/read-page.js'
import { withPages } from './page/with-pages.js'
import type { PageReader } from './page/with-pages.js'
import type { SearchEngine } from './search-engine.js'
import { servedEngine } from './served-engine.js'

/** Options of `serpApiEngine`. */
export interface SerpApiOptions extends ServerOptions {
  /** Default: `SERPAPI_API_KEY` of the environment. It is never shown or written. */
  apiKey?: string
  /** Of the service. Default `https://serpapi.com`. */
  baseUrl?: string
  /** Country of the search, such as `us` (Google's `gl`). */
  country?: string
  /** Language of the search, such as `en` (Google's `hl`). */
  language?: string
  /**
   * True reads the pages that were found (`readPage`), in the place of their snippets; or a function of your own that does.
   * Where a page cannot be read, its snippet stays, and `metadata.unreadPage` says why. Default false.
   */
  readPages?: boolean | PageReader
}

/** Options of `googleEngine`. */
export interface GoogleOptions extends Omit<SerpApiOptions, 'apiKey'> {
  /** Default: `GOOGLE_API_KEY` of the environment. It is never shown or written. */
  apiKey?: string
  /** Id of the programmable search engine (Google's `cx`). */
  engineId: string
}

const code = z.string().min(2).exactOptional()
const common = {
  country: code,
  language: code,
  readPages: z.union([z.boolean(), aFunction<PageReader>()], 'must be true, false or a function').default(false),
  ...serverShape,
}
const text = z.string().nullish()
const result = z.object({ title: text, snippet: text, link: text })
type Result = z.infer<typeof result>

/** Results without a snippet say nothing. */
const documentsOf = (found: readonly Result[]): Omit<Document, 'rank'>[] =>
  found.map(({ title, snippet, link }) => ({
    ...(title && { title }),
    text: snippet ?? '',
    ...(link && { metadata: { url: link } }),
  }))

const reading = (engine: SearchEngine, readPages: boolean | PageReader): SearchEngine =>
  readPages === false ? engine : withPages(engine, readPages === true ? readPage : readPages)

function keyOf(operation: string, given: string | undefined, environment: string | undefined, name: string): string {
  const key = given ?? environment
  if (key === undefined)
    throw new Error(`${operation}: there must be a key; give apiKey, set ${name}, or await zs.askKey('${name}')`)
  return key
}

/** What is used up for today is not back in a minute. */
function quota(failure: RequestFailure): RequestFailure {
  if (failure.status !== 429 || !/per day|run out of searches/i.test(failure.message)) return failure
  return new RequestFailure(`${failure.message}; waiting does not help`, { kind: 'refused', status: 429 })
}

const serpApiSchema = z.strictObject({ baseUrl: addressSchema.default('https://serpapi.com'), ...common })

/**
 * Google by way of SerpAPI (`GET /search.json`): titles, snippets and addresses.
 * @throws where an option is not what it must be or there is no key; a search rejects where the service fails
 * @example
 * const engine = zs.serpApiEngine({ apiKey: 'your key', language: 'en' })
 * await zs.display(await engine.search('capital of Peru', { question, topK: 5 }))
 */
export function serpApiEngine(options: SerpApiOptions = {}): SearchEngine {
  const { apiKey, ...rest } = options
  checkSecrets('serpapi', options)
  const { baseUrl, country, language, readPages, ...limits } = parseOptions('serpapi', serpApiSchema, rest)
  const key = keyOf('serpapi', apiKey, serpApiKey(), 'SERPAPI_API_KEY')
  const engine = servedEngine(
    { name: 'serpapi', addresses: [baseUrl], secret: key, limits },
    {
      ask: (query, { topK }) => ({
        path: `/search.json?${parameters({ engine: 'google', q: query, num: topK, gl: country, hl: language, api_key: key })}`,
      }),
      answer: z
        .object({ organic_results: z.array(result).nullish(), error: z.string().nullish() })
        // It is an error in words, with status 200, where nothing was found.
        .refine(({ error }) => !error || /any results|no results/i.test(error)),
      read: ({ organic_results }) => documentsOf(organic_results ?? []),
      explain: quota,
    },
  )
  return reading(engine, readPages)
}

const googleSchema = z.strictObject({
  baseUrl: addressSchema.default('https://www.googleapis.com'),
  engineId: z.string().min(1),
  ...common,
})

/** More than ten results are refused in one request. */
const MOST = 10

/**
 * Google's Custom Search API (`GET /customsearch/v1`): titles, snippets and addresses, ten at most. Google takes no new customers for it,
 * and ends it for the others in 2027.
 * @throws as `serpApiEngine` does
 * @example
 * const engine = zs.googleEngine({ apiKey: 'your key', engineId: 'your engine' })
 * await zs.display(await engine.search('capital of Peru', { question, topK: 5 }))
 */
export function googleEngine(options: GoogleOptions): SearchEngine {
  const { apiKey, ...rest } = options
  checkSecrets('google', options)
  const { baseUrl, engineId, country, language, readPages, ...limits } = parseOptions('google', googleSchema, rest)
  const key = keyOf('google', apiKey, googleKey(), 'GOOGLE_API_KEY')
  const engine = servedEngine(
    { name: 'google', addresses: [baseUrl], secret: key, limits },
    {
      ask: (query, { topK }) => ({
        path: `/customsearch/v1?${parameters({ q: query, cx: engineId, num: Math.min(MOST, topK), gl: country, hl: language })}`,
        headers: { 'x-goog-api-key': key },
      }),
      answer: z.object({ items: z.array(result).nullish() }),
      read: ({ items }) => documentsOf(items ?? []),
      explain: quota,
    },
  )
  return reading(engine, readPages)
}

const parameters = (fields: Record<string, string | number | undefined>): string =>
  new URLSearchParams(
    Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  ).toString()
