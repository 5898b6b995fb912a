import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { BrokenCircuitError } from 'cockatiel'
import { abortable } from '../signal/abortable.js'
import { Endpoint } from './endpoint.js'
import { RateLimit } from './rate-limit.js'
import type { Share } from './rate-limit.js'
import { RequestFailure } from './request-failure.js'

/** How servers that can each answer a request are asked. */
export interface EndpointsOptions {
  /** Begins messages: `openAi`. */
  operation: string
  addresses: readonly string[]
  concurrency: number
  timeoutMs: number
  retries: number
  giveUpAfterMs: number
  maxRetryAfterMs: number
  requestsPerMinute?: number | undefined
  tokensPerMinute?: number | undefined
}

/** What one request is given. */
export interface Attempt {
  address: string
  /** Aborts when the request takes too long, and when nobody waits for it any more. */
  signal: AbortSignal
  /** To be told how many tokens it took. */
  spent: (tokens: number) => void
}

/** What a request needs. */
export interface Need {
  signal?: AbortSignal | undefined
  /** Most tokens that it may take of the limit. Default 0. */
  tokens?: number
}

interface Waiting {
  since: number
  tokens: number
  /** Those that failed it already. */
  tried: ReadonlySet<Endpoint>
  start: (place: Place) => void
  giveUp: (failure: Error) => void
}

/** A server that one request has, and what it takes of the limits. */
interface Place {
  endpoint: Endpoint
  share: Share
  /** Gives the server back. */
  end: () => void
}

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 30_000
const BREAK_MS = 5_000

/**
 * Several servers that do the same. Each request goes to the one that is least busy; where that fails, to the others, and
 * then to all of them again after a pause that doubles. A server that fails five times in a row is left alone, but for one
 * request every five seconds. What waits is served in the order in which it came.
 */
export class Endpoints {
  /** Requests that failed, and were tried again or given up. */
  failures = 0
  private readonly endpoints: Endpoint[]
  private readonly limit: RateLimit
  private readonly waiting = new Set<Waiting>()
  private timer: NodeJS.Timeout | undefined
  private requests = 0
  /** Since when no server works. */
  private outageSince: number | undefined

  constructor(private readonly options: EndpointsOptions) {
    this.limit = new RateLimit(options.requestsPerMinute, options.tokensPerMinute)
    const { addresses, concurrency } = options
    this.endpoints = addresses.map(
      (address) => new Endpoint(address, concurrency, BREAK_MS, (endpoint) => this.tellBreak(endpoint)),
    )
  }

  /**
   * Has one of the servers do some work. `work` is called again where it throws a `RequestFailure` that may pass.
   * @throws the signal's reason; what else `work` throws; an error that names addresses, causes and attempts
   */
  async run<T>(work: (attempt: Attempt) => Promise<T>, { signal, tokens = 0 }: Need = {}): Promise<T> {
    const { retries, giveUpAfterMs, tokensPerMinute = Infinity, operation } = this.options
    if (tokens > tokensPerMinute) {
      throw new Error(
        `${operation}: a request must fit into tokensPerMinute (${tokensPerMinute}), this one may take ${tokens}; ` +
          'ask for fewer maxTokens, or raise the limit',
      )
    }
    const tried = new Set<Endpoint>()
    const started = Date.now()
    for (let attempts = 1; ; attempts++) {
      const { endpoint, share, end } = await this.acquire(tokens, tried, signal)
      try {
        return await this.ask(endpoint, share, work, signal)
      } catch (error) {
        signal?.throwIfAborted()
        if (error instanceof BrokenCircuitError) {
          this.limit.giveBack(share)
          attempts--
          continue
        }
        if (!(error instanceof RequestFailure)) throw error
        this.failures++
        if (error.kind === 'refused')
          throw new Error(`${operation}: ${endpoint.address} ${error.message}`, { cause: error })
        tried.add(endpoint)
        const late = Date.now() - started >= giveUpAfterMs
        if (attempts > retries || late) throw this.givenUp(attempts, Date.now() - started)
      } finally {
        end()
        this.serve()
      }
      if (tried.size < this.endpoints.length) continue
      tried.clear()
      const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (Math.floor(attempts / this.endpoints.length) - 1))
      await abortable(sleep(pause * (0.5 + Math.random() / 2)), signal)
    }
  }

  private async ask<T>(
    endpoint: Endpoint,
    share: Share,
    work: (attempt: Attempt) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const { timeoutMs, maxRetryAfterMs } = this.options
    const controller = new AbortController()
    const timer = setTimeout(
      () =>
        controller.abort(
          new RequestFailure(`gave no whole answer in ${timeoutMs / 1000} s (timeoutMs)`, { kind: 'fault' }),
        ),
      timeoutMs,
    )
    const abort = (): void => controller.abort(signal?.reason)
    if (signal) setMaxListeners(0, signal)
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted) abort()
    try {
      const attempt = {
        address: endpoint.address,
        signal: controller.signal,
        spent: (count: number): void => void (share.tokens = count),
      }
      const result = await endpoint.ask(() => abortable(work(attempt), controller.signal), maxRetryAfterMs)
      this.outageSince = undefined
      return result
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    }
  }

  /** A server that takes a request now; it counts as one in flight. */
  private acquire(tokens: number, tried: ReadonlySet<Endpoint>, signal: AbortSignal | undefined): Promise<Place> {
    signal?.throwIfAborted()
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.waiting.delete(waiting)
        signal?.removeEventListener('abort', abort)
      }
      const abort = (): void => {
        leave()
        reject(signal?.reason as Error)
      }
      const waiting: Waiting = {
        since: Date.now(),
        tokens,
        tried,
        start: (place) => {
          leave()
          resolve(place)
        },
        giveUp: (failure) => {
          leave()
          reject(failure)
        },
      }
      if (signal) setMaxListeners(0, signal)
      signal?.addEventListener('abort', abort, { once: true })
      this.waiting.add(waiting)
      this.serve()
    })
  }

  /** Gives servers to those that wait, as far as there are any, and comes back when there may be more. */
  private serve(): void {
    clearTimeout(this.timer)
    const now = Date.now()
    let next = Infinity
    for (const waiting of this.waiting) {
      const wait = this.limit.waitMs(now, waiting.tokens)
      const endpoint = wait > 0 ? undefined : this.choose(waiting.tried, now)
      if (!endpoint) {
        if (wait > 0) next = now + wait
        break
      }
      const end = endpoint.take(++this.requests)
      waiting.start({ endpoint, share: this.limit.take(now, waiting.tokens), end })
    }
    if (this.waiting.size === 0) return
    for (const endpoint of this.endpoints) {
      const ready = endpoint.load < 1 ? endpoint.readyAt() : undefined
      if (ready !== undefined && ready > now) next = Math.min(next, ready)
    }
    next = Math.min(next, this.giveUpLate(now))
    if (next < Infinity) this.timer = setTimeout(() => this.serve(), Math.max(1, next - now))
  }

  /** The least busy one that takes a request, one that has not failed it rather than one that has. */
  private choose(tried: ReadonlySet<Endpoint>, now: number): Endpoint | undefined {
    const ready = this.endpoints.filter((endpoint) => endpoint.load < 1 && (endpoint.readyAt() ?? Infinity) <= now)
    const order = (a: Endpoint, b: Endpoint): number =>
      Number(tried.has(a)) - Number(tried.has(b)) || a.load - b.load || a.lastUsed - b.lastUsed
    return ready.sort(order)[0]
  }

  /** Ends the waiting of those that no server has worked for, for too long. @returns when the next one is due */
  private giveUpLate(now: number): number {
    if (!this.endpoints.every(({ isBroken }) => isBroken)) return Infinity
    this.outageSince ??= now
    let next = Infinity
    for (const waiting of this.waiting) {
      // Who has just come sees at least one try of a server.
      const until = Math.max(waiting.since + 2 * BREAK_MS, this.outageSince + this.options.giveUpAfterMs)
      if (until <= now) waiting.giveUp(this.givenUp(0, now - this.outageSince))
      else next = Math.min(next, until)
    }
    return next
  }

  private givenUp(attempts: number, ms: number): Error {
    const { operation } = this.options
    const servers = this.endpoints
      .filter(({ lastFailure }) => lastFailure)
      .map(({ address, lastFailure }) => `${address} ${lastFailure!.message}`)
    const seconds = Math.round(ms / 1000)
    const done =
      attempts === 0 ? `no server has worked for ${seconds} s` : `given up after ${attempts} attempts in ${seconds} s`
    return new Error(`${operation}: ${done}: ${servers.join('; ')}`)
  }

  private tellBreak({ address, lastFailure }: Endpoint): void {
    const { operation, giveUpAfterMs } = this.options
    console.warn(
      `${operation}: ${address} fails again and again: it ${lastFailure?.message ?? 'does not answer'}. It is tried every ` +
        `${BREAK_MS / 1000} s${this.endpoints.length > 1 ? ', and others are asked meanwhile' : `; after ${giveUpAfterMs / 1000} s requests fail`}.`,
    )
  }
}
