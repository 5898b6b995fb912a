import type { OpenAI } from 'openai'
import { fetchChecked, fetchJson } from '../http/fetch-checked.js'
import type { FetchRequest } from '../http/fetch.js'
import { networkFailure } from '../http/request-failure.js'
import type { RequestFailure } from '../http/request-failure.js'

/** Where a client sends its requests. */
export interface Server {
  address: string
  apiKey: string | undefined
  connectTimeoutMs: number
}

/** More than any completion. */
const MAX_BYTES = 64 * 2 ** 20

/**
 * A client of OpenAI's package for one request. Retries, time limits and settings of the environment are ours, and it is to
 * write no log.
 * @param stream whether its answer is read in pieces
 * @param onFailure given what went wrong until then, which the package would put into words of its own
 */
export async function openAiClient(
  { address, apiKey, connectTimeoutMs }: Server,
  stream: boolean,
  onFailure: (failure: RequestFailure) => void,
): Promise<OpenAI> {
  const { OpenAI } = await import('openai')
  const limits = { connectTimeoutMs, maxBytes: MAX_BYTES }
  const fetchCompletion = async (url: unknown, request: unknown): Promise<Response> => {
    const sent = { ...(request as FetchRequest), secret: apiKey }
    try {
      if (stream) return await fetchChecked(url as string, sent, limits)
      const value = await fetchJson(url as string, sent, limits)
      return new Response(JSON.stringify(value), { headers: { 'content-type': 'application/json' } })
    } catch (error) {
      onFailure(networkFailure(error))
      throw error
    }
  }
  return new OpenAI({
    baseURL: address,
    apiKey: apiKey ?? 'none',
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    maxRetries: 0,
    timeout: 2 ** 31 - 1,
    logLevel: 'off',
    ...(apiKey === undefined && { defaultHeaders: { authorization: null } }),
    fetch: fetchCompletion,
  })
}
