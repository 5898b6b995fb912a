import type { Score } from './score.js'
import type { Trajectory } from './trajectory.js'

/** How many of some rollouts failed, and of what. */
export interface FailureSummary {
  failed: number
  /** Share of the rollouts that failed, in [0, 1]; 0 where there were none. */
  share: number
  /** Commonest first; of equally common ones, the first that occurred. */
  causes: FailureCause[]
}

/** Failures at one boundary whose messages say the same. */
export interface FailureCause {
  /** Boundary and message of the first of them: `search: HTTP 500`. */
  message: string
  /** Number of failures. */
  count: number
}

/** What tells one failure from the next without being another cause: quoted values, addresses' ids, numbers. */
const DETAILS = /"[^"]*"|'[^'\s]*'|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b(?=[a-f]*\d)[0-9a-f]{8,}\b|\d+(?:[.,:]\d+)*/gi

/**
 * The failures among trajectories or their scores, by cause. Messages that differ only in quoted values, ids and numbers count as one cause;
 * statuses of HTTP stay apart.
 */
export function summarizeFailures(rollouts: readonly Pick<Trajectory | Score, 'failure'>[]): FailureSummary {
  const causes = new Map<string, FailureCause>()
  let failed = 0
  for (const { failure } of rollouts) {
    if (!failure) continue
    failed++
    const message = typeof failure === 'string' ? failure : `${failure.boundary}: ${failure.message}`
    const key = causeOf(message)
    const cause = causes.get(key)
    if (cause) cause.count++
    else causes.set(key, { message, count: 1 })
  }
  const share = rollouts.length === 0 ? 0 : failed / rollouts.length
  return { failed, share, causes: [...causes.values()].sort((a, b) => b.count - a.count) }
}

function causeOf(message: string): string {
  return message.replace(DETAILS, (detail, offset: number) =>
    /^[1-5]\d\d$/.test(detail) && /(?:http|status|code)\D{0,10}$/i.test(message.slice(Math.max(0, offset - 20), offset))
      ? detail
      : '…',
  )
}
