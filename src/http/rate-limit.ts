const MINUTE_MS = 60_000

/** What one request takes of the limits. */
export interface Share {
  /** When it began, in milliseconds. */
  readonly at: number
  /** Its tokens: what it may need, until it is known what it needed. */
  tokens: number
}

/** Requests and tokens of any 60 seconds stay within limits. */
export class RateLimit {
  private shares: Share[] = []

  constructor(
    private readonly requests = Infinity,
    private readonly tokens = Infinity,
  ) {}

  /** How long a request of so many tokens has to wait; 0 where it may begin now. */
  waitMs(now: number, tokens: number): number {
    if (this.requests === Infinity && this.tokens === Infinity) return 0
    this.shares = this.shares.filter(({ at }) => at > now - MINUTE_MS)
    let requests = this.shares.length + 1
    let total = this.shares.reduce((sum, share) => sum + share.tokens, tokens)
    let wait = 0
    // The oldest ones have to be a minute old first.
    for (const share of this.shares) {
      if (requests <= this.requests && total <= this.tokens) break
      requests--
      total -= share.tokens
      wait = share.at + MINUTE_MS - now
    }
    return wait
  }

  take(now: number, tokens: number): Share {
    const share = { at: now, tokens }
    this.shares.push(share)
    return share
  }

  /** Gives back what was taken for a request that was not made. */
  giveBack(share: Share): void {
    this.shares = this.shares.filter((each) => each !== share)
  }
}
