import { z } from 'zod'
import type { LanguageModel } from '../language-model/language-model.js'
import { anObject, parseOptions } from '../schema/parse-options.js'
import { serveToken } from '../schema/settings.js'
import type { SearchEngine } from '../search/search-engine.js'
import { curriculumSchema } from '../simulator/curriculum.js'
import type { Curriculum } from '../simulator/curriculum.js'
import { Admission } from './admission.js'
import { completeChat, completeText, listModels } from './completions.js'
import { isLocal, serveHttp } from './http-server.js'
import type { Handler, HttpServer } from './http-server.js'
import { Metrics } from './metrics.js'
import { retrieve } from './retrieve.js'

/** Options of `serve`. */
export interface ServeOptions {
  /** Answers `POST /retrieve`: a simulator, BM25, or any other. */
  searchEngine?: SearchEngine
  /** Answer `POST /v1/chat/completions` and `/v1/completions`, each by its name. */
  models?: readonly LanguageModel[]
  /**
   * Noise that is drawn for each query from its seed, where the query names no quality. All but a fixed probability needs
   * the `step` of the query. Default: the engine's.
   */
  curriculum?: Curriculum
  /** Number of the client's updates, which `step` counts from 0; for a curriculum that depends on it. */
  updates?: number
  /** Documents for a query, where the client names no number. Default 3. */
  topK?: number
  /** Where to listen. Any but this machine's own, such as `0.0.0.0`, demands a token. Default `127.0.0.1`. */
  host?: string
  /** Default 0: any that is free. */
  port?: number
  /**
   * What requests must carry as `Authorization: Bearer …`, at least 16 characters. Default: `ZEROSEARCH_SERVE_TOKEN` of the
   * environment. It is never shown or written.
   */
  token?: string
  /** Searches, and completions, that run at once; further ones wait. Default 64. */
  concurrency?: number
  /** Queries, and completions, that run and wait; what comes further is told to come back (503). Default 4096. */
  maxWaiting?: number
  /** Most bytes of a request. Default 4 MiB. */
  maxBytes?: number
  /** Most time of a request until its answer is whole, in milliseconds. Default 120,000. */
  timeoutMs?: number
}

/** A server that runs until it is closed. */
export interface Server {
  /** Its address: `http://127.0.0.1:8000`. */
  readonly url: string
  /** What it answers: `POST /retrieve`. */
  readonly endpoints: readonly string[]
  /** What it has done so far. */
  readonly counts: ServerCounts
  /**
   * Refuses new requests, and resolves when those in flight have ended.
   * @param graceMs How long they may take, in milliseconds, before they are given up. Default 30,000.
   */
  close(graceMs?: number): Promise<void>
}

/** Counts of a server. */
export interface ServerCounts {
  /** Requests that were answered. */
  answered: number
  /** Requests that were refused: wrong, without the token, or too many at once. */
  refused: number
  /** Requests that failed or took too long. */
  failed: number
  /** Requests whose client went away. */
  abandoned: number
  /** Requests that are being answered. */
  inFlight: number
  /** Queries and completions whose turn has not come. */
  waiting: number
  /** Queries that were searched for. */
  searches: number
  /** Documents that were found. */
  documents: number
  /** Tokens that models have written. */
  completionTokens: number
}

const count = z.int().min(1)
const TOKEN = /^[\x21-\x7e]{16,}$/

const schema = z
  .strictObject({
    searchEngine: anObject<SearchEngine>('a search engine', ['search']).exactOptional(),
    models: z.array(anObject<LanguageModel>('a language model', ['complete'])).default([]),
    curriculum: curriculumSchema.exactOptional(),
    updates: count.exactOptional(),
    topK: count.max(1000).default(3),
    host: z.string().min(1).default('127.0.0.1'),
    port: z.int().min(0).max(65_535).default(0),
    concurrency: count.default(64),
    maxWaiting: count.default(4096),
    maxBytes: count.default(4 * 2 ** 20),
    timeoutMs: count.max(2 ** 31 - 1).default(120_000),
  })
  .refine(({ searchEngine, models }) => searchEngine !== undefined || models.length > 0, {
    path: ['searchEngine'],
    error: 'or models must be given; there would be nothing to serve',
  })
  .refine(({ models }) => new Set(models.map(({ name }) => name)).size === models.length, {
    path: ['models'],
    error: 'must have different names',
  })
  .refine(({ curriculum, updates }) => curriculum === undefined || typeof curriculum === 'number' || updates, {
    path: ['updates'],
    error: 'must be given with such a curriculum; it says how many updates `step` counts',
  })

const GRACE_MS = 30_000

/**
 * Puts a search engine and language models behind HTTP, so that other trainers (verl, SkyRL, TRL, OpenRLHF, Search-R1) can
 * train against them. The server runs until it is closed, also after its cell has ended.
 *
 * - `POST /retrieve` takes Search-R1's and verl's `{ queries, topk, return_scores }`, SkyRL's `{ query, topk, return_scores }`, and
 *   ZeroSearch's `{ query, top_k }`. For a simulator a query may carry `question`, `gold_answers`, `seed`, `search` (number of the search in its trajectory, from 0), `step`
 *   (the update, from 0) and `quality`: as an item of `contexts`, one for each query, or as `context`. The qualities that were
 *   drawn are in the answer of the first shape. Without a seed, the same query is answered alike.
 * - `POST /v1/chat/completions`, `POST /v1/completions` and `GET /v1/models` are OpenAI's. A field that asks for what cannot be
 *   done, such as `n: 2`, is refused.
 * - `GET /health`, and `GET /metrics` for Prometheus.
 *
 * What is too much at once is refused with 503 and `Retry-After`. Where a client goes away, its work is given up.
 * @throws where an option is not what it must be, another host has no token, or the port is taken
 * @example
 * const server = await zs.serve({ searchEngine: simulator, models: [model], curriculum: { start: 0, end: 0.5 }, updates: 200 })
 * await zs.display(server)
 * const again = zs.searchR1Engine({ baseUrl: server.url })
 * await server.close()
 */
export async function serve(options: ServeOptions): Promise<Server> {
  const { token = serveToken(), ...rest } = options
  if (token !== undefined && (typeof token !== 'string' || !TOKEN.test(token))) {
    throw new Error('serve: token must be at least 16 characters without blanks; its value is not shown')
  }
  const { searchEngine, models, topK, host, port, concurrency, maxWaiting, maxBytes, timeoutMs, ...noise } =
    parseOptions('serve', schema, rest)
  if (token === undefined && !isLocal(host)) {
    throw new Error(
      `serve: any host but this machine's own demands a token, got ${host} without one; give token, or set ZEROSEARCH_SERVE_TOKEN`,
    )
  }
  const metrics = new Metrics()
  // Each has places of its own: a simulator may ask this very server for its completions.
  const searching = new Admission(concurrency, maxWaiting)
  const completing = new Admission(concurrency, maxWaiting)
  const waiting = (): number => searching.queued + completing.queued
  const endpoints = new Map<string, Handler>()
  if (searchEngine) {
    const { curriculum, updates } = noise
    const retrieval = { searchEngine, topK, curriculum, updates, admission: searching, metrics }
    endpoints.set('POST /retrieve', retrieve(retrieval))
  }
  if (models.length > 0) {
    const completions = { models, admission: completing, metrics }
    endpoints.set('POST /v1/chat/completions', completeChat(completions))
    endpoints.set('POST /v1/completions', completeText(completions))
    endpoints.set('GET /v1/models', listModels(completions))
  }
  const http: HttpServer = await serveHttp(
    endpoints
      .set('GET /health', () => Promise.resolve({ status: 'ok' }))
      .set('GET /metrics', () =>
        Promise.resolve(
          metrics.text({
            requests_in_flight: http.inFlight,
            searches_running: searching.running,
            completions_running: completing.running,
            work_waiting: waiting(),
          }),
        ),
      ),
    { host, port, token, maxBytes, timeoutMs, maxRequests: maxWaiting },
    (endpoint, status, seconds) => metrics.request(endpoint, status, seconds),
  )
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${http.port}`,
    endpoints: [...endpoints.keys()],
    get counts() {
      const busy = metrics.count((status) => status === 503)
      return {
        answered: metrics.count((status) => status < 400),
        refused: metrics.count((status) => status >= 400 && status < 499) + busy,
        failed: metrics.count((status) => status >= 500) - busy,
        abandoned: metrics.count((status) => status === 499),
        inFlight: http.inFlight,
        waiting: waiting(),
        searches: metrics.searches,
        documents: metrics.documents,
        completionTokens: metrics.completionTokens,
      }
    },
    close: (graceMs = GRACE_MS) => http.close(graceMs),
  }
}
