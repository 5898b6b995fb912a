import type { OpenAI } from 'openai'
import { fetchChecked } from '../http/fetch.js'
import type { FetchRequest } from '../http/fetch.js'
import { excerpt, networkFailure, RequestFailure } from '../http/request-failure.js'

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
 * @param onFailure given what went wrong until the answer began, which the package would put into words of its own
 */
export async function openAiClient(
  { address, apiKey, connectTimeoutMs }: Server,
  onFailure: (failure: RequestFailure) => void,
): Promise<OpenAI> {
  const { OpenAI } = await import('openai')
  const fetchCompletion = async (url: unknown, request: unknown): Promise<Response> => {
    try {
      const limits = { connectTimeoutMs, maxBytes: MAX_BYTES }
      return await refusePages(await fetchChecked(url as string, request as FetchRequest, limits))
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

/** Behind a proxy that fails, a page may come with status 200; as a stream it would be read as an empty one. */
async function refusePages(response: Response): Promise<Response> {
  if (!response.headers.get('content-type')?.includes('text/html')) return response
  const page = await response.text().catch(() => '')
  throw new RequestFailure(`answered with a page of HTML: ${excerpt(page)}`, { kind: 'fault' })
}
