import type { z } from 'zod'
import { Endpoints } from '../http/endpoints.js'
import { fetchJson, hide } from '../http/fetch-checked.js'
import { networkFailure, excerpt, RequestFailure } from '../http/request-failure.js'
import type { Document } from '../schema/document.js'
import type { SearchContext, SearchEngine } from './search-engine.js'

/** Behind which servers an engine is, and how they are asked. */
export interface Served {
  /** Begins messages: `search-r1`. */
  name: string
  addresses: readonly string[]
  /** What no message may show. */
  secret?: string | undefined
  limits: Omit<ConstructorParameters<typeof Endpoints>[0], 'operation' | 'addresses' | 'tokensPerMinute'> & {
    connectTimeoutMs: number
  }
}

/** One request: what follows the address, and a body where there is one. */
export interface Asked {
  path: string
  headers?: Record<string, string>
  body?: unknown
}

/** What an engine knows of its server's language. */
export interface Dialect<Answer> {
  ask: (query: string, context: SearchContext) => Asked
  /** Form of an answer. */
  answer: z.ZodType<Answer>
  /** The documents of an answer, the best first. */
  read: (answer: Answer) => Omit<Document, 'rank'>[]
  /** What to do about a failure, where the engine knows better. */
  explain?: (failure: RequestFailure) => RequestFailure
}

/** More than any list of results. */
const MAX_BYTES = 32 * 2 ** 20

/** An engine behind HTTP. A blank query finds nothing, and nobody is asked. */
export function servedEngine<Answer>(
  { name, addresses, secret, limits }: Served,
  dialect: Dialect<Answer>,
): SearchEngine {
  const endpoints = new Endpoints({ operation: name, addresses, ...limits })
  const { ask, answer, read, explain = (failure) => failure } = dialect

  async function request(address: string, { path, headers, body }: Asked, signal: AbortSignal): Promise<Answer> {
    const sent = {
      method: body === undefined ? 'GET' : 'POST',
      headers: new Headers({
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      }),
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
      secret,
    }
    const { connectTimeoutMs } = limits
    try {
      const value = await fetchJson(address + path, sent, { connectTimeoutMs, maxBytes: MAX_BYTES })
      const { success, data } = answer.safeParse(value)
      if (success) return data
      const shown = excerpt(hide(JSON.stringify(value), secret))
      throw new RequestFailure(`answered with something that is no list of documents: ${shown}`, { kind: 'fault' })
    } catch (error) {
      signal.throwIfAborted()
      const failure = networkFailure(error)
      throw explain(new RequestFailure(hide(failure.message, secret), failure))
    }
  }

  return {
    name,
    async search(query, context) {
      if (query.trim() === '') return []
      const { topK, signal } = context
      const asked = ask(query, context)
      const found = await endpoints.run((attempt) => request(attempt.address, asked, attempt.signal), { signal })
      return read(found)
        .filter(({ text }) => text.trim() !== '')
        .slice(0, topK)
        .map((document, i) => ({ ...document, rank: i + 1 }))
    },
  }
}
