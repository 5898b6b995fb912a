import type { OpenAI } from 'openai'
import { fetchChecked } from '../http/fetch.js'

/** More than any completion. */
const MAX_BYTES = 64 * 2 ** 20

/**
 * Clients of OpenAI's package, one for each address. Retries, time limits and settings of the environment are ours, and
 * it is to write no log.
 */
export function openAiClients(
  apiKey: string | undefined,
  connectTimeoutMs: number,
): (address: string) => Promise<OpenAI> {
  const clients = new Map<string, OpenAI>()
  return async (address) => {
    const { OpenAI } = await import('openai')
    let client = clients.get(address)
    if (!client) {
      client = new OpenAI({
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
        fetch: (url, init) => fetchChecked(url as string, init as RequestOf, { connectTimeoutMs, maxBytes: MAX_BYTES }),
      })
      clients.set(address, client)
    }
    return client
  }
}

type RequestOf = Parameters<typeof fetchChecked>[1]
