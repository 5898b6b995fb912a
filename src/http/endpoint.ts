import { CircuitState, ConsecutiveBreaker, circuitBreaker, handleWhen } from 'cockatiel'
import type { CircuitBreakerPolicy } from 'cockatiel'
import { RequestFailure } from './request-failure.js'

/** Faults one after the other, after which a server is left alone for a while. */
const FAULTS_TO_BREAK = 5

/** One server, and what is known about how it does. */
export class Endpoint {
  /** Number of the request that it got last. */
  lastUsed = 0
  /** Why its last failed request failed. */
  lastFailure: RequestFailure | undefined
  private inFlight = 0
  /** Whether one request finds out whether it works again. */
  private probing = false
  private readonly breaker: CircuitBreakerPolicy
  /** When it may be asked again, where its circuit is open. */
  private probeAt = 0
  /** Until when it asked to be left alone. */
  private restsUntil = 0
  /** Requests that it may have at once: halved where it says that it is busy, grown again with each answer. */
  private allowed: number

  /**
   * @param breakMs How long an open circuit stays so, until one request tries it.
   * @param onBreak Told when the circuit opens: not for the failed tries that follow.
   */
  constructor(
    readonly address: string,
    private readonly concurrency: number,
    private readonly breakMs: number,
    onBreak: (endpoint: Endpoint) => void,
  ) {
    this.allowed = concurrency
    this.breaker = circuitBreaker(
      handleWhen((error) => error instanceof RequestFailure && error.kind === 'fault'),
      { halfOpenAfter: breakMs, breaker: new ConsecutiveBreaker(FAULTS_TO_BREAK) },
    )
    let broken = false
    this.breaker.onBreak(() => {
      this.probeAt = Date.now() + this.breakMs
      if (!broken) onBreak(this)
      broken = true
    })
    this.breaker.onReset(() => (broken = false))
  }

  /** True from its break until a request succeeds. */
  get isBroken(): boolean {
    return this.breaker.state !== CircuitState.Closed
  }

  /** How busy it is: 1 and more takes no further request. */
  get load(): number {
    return this.inFlight / Math.max(1, Math.floor(this.allowed))
  }

  /** When it can take a request, were it not busy; undefined while one request finds out whether it works again. */
  readyAt(): number | undefined {
    if (this.probing) return undefined
    return Math.max(this.restsUntil, this.isBroken ? this.probeAt : 0)
  }

  /** Takes a request. @returns to be called at its end */
  take(number: number): () => void {
    const probes = this.isBroken
    if (probes) this.probing = true
    this.inFlight++
    this.lastUsed = number
    return () => {
      this.inFlight--
      if (probes) this.probing = false
    }
  }

  /**
   * Makes one request. What it throws may change when the next one is possible.
   * @throws {BrokenCircuitError} where others have failed since it was taken
   */
  async ask<T>(work: () => Promise<T>, longestRestMs: number): Promise<T> {
    const result = await this.breaker.execute(() =>
      work().catch((error: unknown) => {
        if (error instanceof RequestFailure) this.note(error, longestRestMs)
        throw error
      }),
    )
    this.allowed = Math.min(this.concurrency, this.allowed + 1 / this.allowed)
    return result
  }

  private note(failure: RequestFailure, longestRestMs: number): void {
    this.lastFailure = failure
    if (failure.kind === 'busy') this.allowed = Math.max(1, this.allowed / 2)
    if (failure.waitMs === undefined) return
    this.restsUntil = Math.max(this.restsUntil, Date.now() + Math.min(failure.waitMs, longestRestMs))
  }
}
