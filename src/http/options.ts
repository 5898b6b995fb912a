import { z } from 'zod'

/** How servers are asked, for everything that has some behind it. */
export interface ServerOptions {
  /** Requests that one server has at once; further ones wait. A server that says it is busy gets fewer. Default 32. */
  concurrency?: number
  /** Most time until a connection stands, in milliseconds. Default 10,000. */
  connectTimeoutMs?: number
  /** Most time of one request until its answer is whole, in milliseconds. Default 120,000. */
  timeoutMs?: number
  /** How often a request that failed is sent again, with pauses that double from half a second to 30 seconds. Default 8. */
  retries?: number
  /** A request that has failed for so long is not sent again, in milliseconds. Default 180,000. */
  giveUpAfterMs?: number
  /** Longest pause that a server may ask for (`Retry-After`), in milliseconds; it is asked again after that. Default 60,000. */
  maxRetryAfterMs?: number
  /** Most requests in any 60 seconds, all servers together. Default: no limit. */
  requestsPerMinute?: number
}

const positive = 'must be a positive integer'
const count = z.int(positive).min(1, positive)
/** The longest that a timer can be. */
const milliseconds = count.max(2 ** 31 - 1)

/** The shape of `ServerOptions`, to be part of an options' schema. */
export const serverShape = {
  concurrency: count.default(32),
  connectTimeoutMs: milliseconds.default(10_000),
  timeoutMs: milliseconds.default(120_000),
  retries: z.int().min(0).default(8),
  giveUpAfterMs: milliseconds.default(180_000),
  maxRetryAfterMs: milliseconds.default(60_000),
  requestsPerMinute: count.exactOptional(),
}

const ADDRESS = 'must be an address such as http://127.0.0.1:8000/v1'

/** An address of a server. It may be shown, so it holds no secrets. */
export const addressSchema = z
  .string(ADDRESS)
  .refine((text) => /^https?:$/.test(parsed(text)?.protocol ?? ''), ADDRESS)
  .refine((text) => !parsed(text)?.username && !parsed(text)?.password, 'must not hold a name or password; give a key')
  .refine((text) => !parsed(text)?.search && !parsed(text)?.hash, 'must end with its path, without ? and #')
  .transform((text) => text.replace(/\/+$/, ''))

function parsed(text: string): URL | undefined {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}

/** Options, before anything shows their values: a key must be in its place alone. */
export function checkSecrets(
  operation: string,
  { apiKey, baseUrl, baseUrls }: { apiKey?: unknown; baseUrl?: unknown; baseUrls?: unknown },
): void {
  if (apiKey !== undefined && (typeof apiKey !== 'string' || !/^[\x21-\x7e]+$/.test(apiKey))) {
    throw new Error(`${operation}: apiKey must be a text without blanks and line breaks; its value is not shown`)
  }
  for (const address of [baseUrl, ...(Array.isArray(baseUrls) ? (baseUrls as unknown[]) : [])]) {
    if (typeof address === 'string' && /^[^/]*\/\/[^/]*@|[?#]/.test(address)) {
      throw new Error(`${operation}: baseUrl must hold no name, password or query; give the key as apiKey`)
    }
  }
}
