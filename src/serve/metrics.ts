/** Upper bounds of the classes that times fall into, in seconds. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]

interface Times {
  classes: number[]
  sum: number
  count: number
}

/** Counts of what a server has done, in Prometheus' text format (version 0.0.4). */
export class Metrics {
  /** Queries that an engine answered, documents that it found, and tokens that models wrote. */
  searches = 0
  documents = 0
  promptTokens = 0
  completionTokens = 0
  /** Requests by endpoint and status; 499 where the client went away. */
  private readonly requests = new Map<string, Map<number, number>>()
  private readonly times = new Map<string, Times>()

  request(endpoint: string, status: number, seconds: number): void {
    const statuses = this.requests.get(endpoint) ?? new Map<number, number>()
    this.requests.set(endpoint, statuses.set(status, (statuses.get(status) ?? 0) + 1))
    const times = this.times.get(endpoint) ?? { classes: BOUNDS.map(() => 0), sum: 0, count: 0 }
    this.times.set(endpoint, times)
    BOUNDS.forEach((bound, i) => {
      if (seconds <= bound) times.classes[i]!++
    })
    times.sum += seconds
    times.count++
  }

  /** Requests whose status is one of these. */
  count(has: (status: number) => boolean): number {
    const all = [...this.requests.values()].flatMap((statuses) => [...statuses])
    return all.reduce((sum, [status, count]) => sum + (has(status) ? count : 0), 0)
  }

  /** @param gauges What holds now, by name. */
  text(gauges: Readonly<Record<string, number>>): string {
    const counters = {
      searches: this.searches,
      documents: this.documents,
      prompt_tokens: this.promptTokens,
      completion_tokens: this.completionTokens,
    }
    return [
      '# TYPE zerosearch_requests_total counter',
      ...[...this.requests].flatMap(([endpoint, statuses]) =>
        [...statuses].map(
          ([status, count]) => `zerosearch_requests_total{endpoint="${endpoint}",status="${status}"} ${count}`,
        ),
      ),
      ...Object.entries(counters).flatMap(([name, count]) => [
        `# TYPE zerosearch_${name}_total counter`,
        `zerosearch_${name}_total ${count}`,
      ]),
      ...Object.entries(gauges).flatMap(([name, value]) => [
        `# TYPE zerosearch_${name} gauge`,
        `zerosearch_${name} ${value}`,
      ]),
      '# TYPE zerosearch_request_seconds histogram',
      ...[...this.times].flatMap(([endpoint, times]) => histogram(`endpoint="${endpoint}"`, times)),
      '',
    ].join('\n')
  }
}

const histogram = (label: string, { classes, sum, count }: Times): string[] => [
  ...BOUNDS.map((bound, i) => `zerosearch_request_seconds_bucket{${label},le="${bound}"} ${classes[i]}`),
  `zerosearch_request_seconds_bucket{${label},le="+Inf"} ${count}`,
  `zerosearch_request_seconds_sum{${label}} ${sum}`,
  `zerosearch_request_seconds_count{${label}} ${count}`,
]
