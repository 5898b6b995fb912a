import { STATUS_CODES } from 'node:http'

/** What a failed request means for the next one. */
export interface FailureMeaning {
  /**
   * `refused`: asking again gives the same, so nobody does. `fault`: the server is down or wrong; another one, or a later
   * attempt, may do better. `busy`: the server works, and wants to be asked less or later.
   */
  kind: 'refused' | 'fault' | 'busy'
  /** How long the server asks to be left alone. */
  waitMs?: number | undefined
  /** The status of HTTP, where there was one. */
  status?: number | undefined
}

/** A request that was not answered as it should. The message finishes a sentence that begins with the server's address. */
export class RequestFailure extends Error {
  readonly kind: FailureMeaning['kind']
  readonly waitMs: number | undefined
  readonly status: number | undefined

  constructor(message: string, { kind, waitMs, status }: FailureMeaning) {
    super(message)
    this.name = 'RequestFailure'
    this.kind = kind
    this.waitMs = waitMs
    this.status = status
  }
}

/** Characters of an answer that a message shows. */
const LONGEST_EXCERPT = 300

/** The beginning of an answer, on one line. */
export function excerpt(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > LONGEST_EXCERPT ? `${line.slice(0, LONGEST_EXCERPT)}…` : line
}

/** Statuses below 500 that a later attempt may not meet. */
const PASSING = [408, 425, 429]

/** The failure of a request that was answered with a status other than success, and with this body. */
export function statusFailure(status: number, body: string, headers: Headers): RequestFailure {
  const said = saidIn(body)
  const answered = `answered ${status}${STATUS_CODES[status] ? ` ${STATUS_CODES[status]}` : ''}`
  const message = said === '' ? answered : `${answered}: ${said}`
  if (status >= 300 && status < 400) {
    const target = excerpt(headers.get('location') ?? 'another address')
    return new RequestFailure(`${message}; it redirects to ${target}: give that address`, { kind: 'refused', status })
  }
  if (status < 500 && !PASSING.includes(status)) return new RequestFailure(message, { kind: 'refused', status })
  const waitMs = retryAfter(headers, Date.now())
  const busy = status === 429 || (status === 503 && waitMs !== undefined)
  return new RequestFailure(message, { kind: busy ? 'busy' : 'fault', waitMs, status })
}

/** What a server says about an error: the message in its JSON, or its text. */
function saidIn(body: string): string {
  try {
    const { error, message = error, detail = message } = JSON.parse(body) as Record<string, unknown>
    const { message: text = detail, code } = (detail ?? {}) as { message?: unknown; code?: unknown }
    const said = typeof text === 'string' ? text : JSON.stringify(text ?? JSON.parse(body))
    return excerpt(typeof code === 'string' && !said.includes(code) ? `${said} (${code})` : said)
  } catch {
    // It is no JSON, or no object.
  }
  return excerpt(body)
}

/** What `Retry-After` (seconds, or a date) or `retry-after-ms` asks for, in milliseconds. */
export function retryAfter(headers: Headers, now: number): number | undefined {
  const given = headers.get('retry-after')?.trim()
  const ms = Number(headers.get('retry-after-ms') ?? NaN)
  const wait = !Number.isNaN(ms)
    ? ms
    : !given
      ? NaN
      : /^[\d.]+$/.test(given)
        ? Number(given) * 1000
        : Date.parse(given) - now
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined
}

/** What the usual codes of Node mean. */
const CODES: Record<string, string> = {
  ECONNREFUSED: 'refuses connections (ECONNREFUSED); is the server running, and is the port right?',
  ECONNRESET: 'broke the connection off (ECONNRESET)',
  EPIPE: 'broke the connection off (EPIPE)',
  ENOTFOUND: 'is no known name (ENOTFOUND)',
  EAI_AGAIN: 'could not be looked up (EAI_AGAIN)',
  EHOSTUNREACH: 'cannot be reached (EHOSTUNREACH)',
  ENETUNREACH: 'cannot be reached (ENETUNREACH)',
  ETIMEDOUT: 'cannot be reached in time (ETIMEDOUT)',
}

/** The failure of a request that got no whole answer. */
export function networkFailure(error: unknown): RequestFailure {
  const causes: Error[] = []
  for (let cause = error; cause instanceof Error; cause = cause.cause) causes.push(cause)
  const known = causes.find((cause): cause is RequestFailure => cause instanceof RequestFailure)
  if (known) return known
  for (const { code, message: said } of causes as NodeJS.ErrnoException[]) {
    if (typeof code !== 'string') continue
    // What is wrong with a certificate or with the request itself stays wrong.
    const lasting = /CERT|TLS|SSL|^ERR_INVALID|^HPE_/.test(code) && code !== 'HPE_INVALID_EOF_STATE'
    const message = CODES[code] ?? `failed: ${excerpt(said)} (${code})`
    return new RequestFailure(message, { kind: lasting ? 'refused' : 'fault' })
  }
  return new RequestFailure(`failed: ${excerpt(error instanceof Error ? error.message : String(error))}`, {
    kind: 'fault',
  })
}
