import type { CollapseWarning, UpdateRecord } from '../schema/update-record.js'

/** Updates that are looked at together: one alone is noise. Of a run's first updates, as many as leave as many before. */
export const WINDOW = 3
/** Fewer updates say nothing. */
const FEWEST = 4

/** One sign of a collapse. */
interface Sign {
  metric: keyof UpdateRecord
  /** Undefined or NaN where a record says nothing. */
  value: (record: UpdateRecord) => number | undefined
  /** What values were when they were good: by the means of windows that came before those of now. */
  before: (windows: readonly number[]) => number
  isBad: (now: number, before: number, right: RightAnswers) => boolean
  /** Where bad begins. Default: halfway from before to now. */
  limit?: (before: number) => number
  what: string
  remedy: string
}

/** Shares of right answers (EM) beside a sign: a policy that answers well may do with little entropy. */
interface RightAnswers {
  /** Of the last update. */
  last: number
  /** Mean of the last updates. */
  now: number
  /** The highest mean of those before. */
  best: number
}

const highest = (values: readonly number[]): number => Math.max(...values)
const first = (values: readonly number[]): number => values[0]!
const middle = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!

const SLOWER = 'lower learningRate, raise klCoef'

/**
 * The rules, with their thresholds. They were set on runs of the mini world: of the experiments' 36, the 33 that mask retrieved
 * tokens give no warning, and the three that do not all do, as do runs with too high a learning rate.
 */
const SIGNS: Sign[] = [
  {
    metric: 'correctLogprobMean',
    value: (record) => record.correctLogprobMean,
    before: highest,
    isBad: (now, before) => before - now > 0.1 && now < 2 * before,
    what: 'the log-likelihood of correct trajectories fell (arXiv 2512.04220)',
    remedy: `${SLOWER}, or take fewer epochs a batch`,
  },
  {
    metric: 'entropy',
    value: (record) => record.entropy,
    before: first,
    isBad: (now, before, { last }) => now < 0.1 * before && last < 0.5,
    limit: (before) => 0.1 * before,
    what: 'the entropy fell, and the policy no longer tries anything else',
    remedy: `${SLOWER}, raise clipHigh or temperature`,
  },
  {
    metric: 'zeroVarianceShare',
    value: (record) => record.zeroVarianceShare,
    before: first,
    isBad: (now, _, { last }) => now > 0.8 && last < 0.5,
    limit: () => 0.8,
    what: 'nearly all groups have equal rewards, and teach nothing',
    remedy: 'raise groupSize or samplingRounds, take easier questions, or a reward with more steps (F1 and format)',
  },
  {
    metric: 'gradNorm',
    value: ({ skipped, gradNorm }) => (skipped === undefined ? gradNorm : undefined),
    before: middle,
    isBad: (now, before) => now > 5 * before,
    what: 'the gradient norm spikes',
    remedy: `${SLOWER}, or lower maxGradNorm`,
  },
  {
    metric: 'kl',
    value: (record) => record.kl,
    before: first,
    // Half of it is much where it buys nothing: reward grows with the root of the divergence (arXiv 2210.10760).
    isBad: (now, _, right) => now > 1 || (now > 0.5 && right.now < 0.5 && right.now < 0.9 * right.best),
    limit: () => 0.5,
    what: 'the policy runs away from its reference',
    remedy: SLOWER,
  },
  {
    metric: 'answered',
    value: (record) => record.answered,
    before: highest,
    isBad: (now, before) => before - now > 0.2 && now < 0.75 * before,
    what: 'fewer trajectories give an answer',
    remedy: `${SLOWER}, or add format to the reward`,
  },
  {
    metric: 'validActions',
    value: (record) => record.validActions,
    before: highest,
    isBad: (now, before) => before - now > 0.2 && now < 0.8 * before,
    what: 'fewer turns are valid actions',
    remedy: `${SLOWER}, or add format to the reward`,
  },
]

/**
 * Signs of a collapse in a run so far, the last updates against those before: drift of the likelihood, fall of the entropy,
 * groups without variance, spikes of the gradient, a policy that runs away, answers and valid actions that grow fewer.
 * @param records All of a run, in their order.
 */
export function collapseWarnings(records: readonly UpdateRecord[]): CollapseWarning[] {
  const live = liveRecords(records)
  return SIGNS.flatMap((sign) => {
    const warning = look(sign, live)
    return warning ? [warning] : []
  })
}

/** Those that the policy comes from: without updates that were taken back. */
export function liveRecords(records: readonly UpdateRecord[]): UpdateRecord[] {
  const live: UpdateRecord[] = []
  for (const record of records) {
    live.push(record)
    const { rolledBackTo = Infinity } = record
    while (live.length > 0 && live.at(-1)!.update > rolledBackTo) live.pop()
  }
  return live
}

function look(sign: Sign, records: readonly UpdateRecord[]): CollapseWarning | undefined {
  const points = records.flatMap((record) => {
    const value = record.trajectories > 0 ? sign.value(record) : undefined
    return value !== undefined && Number.isFinite(value) ? [{ update: record.update, value }] : []
  })
  const last = records.at(-1)
  // What is no longer measured says nothing of now.
  if (!last || points.length < FEWEST || points.at(-1)!.update !== last.update) return undefined
  const size = Math.min(WINDOW, Math.floor(points.length / 2))
  const windows = means(points, size)
  const now = windows.at(-1)!
  const before = sign.before(windows.slice(0, -size))
  const em = means(
    records.filter(({ trajectories }) => trajectories > 0).map((record) => ({ value: record.em })),
    size,
  )
  const right = { last: last.em, now: em.at(-1)!, best: highest(em.slice(0, -size)) }
  if (!sign.isBad(now, before, right)) return undefined
  const { metric, what, remedy } = sign
  const limit = sign.limit?.(before) ?? (now + before) / 2
  const isBeyond = (value: number): boolean => (now < limit ? value < limit : value > limit)
  // The first bad value of the first of the bad windows that go on until now.
  const begin = windows.findLastIndex((window) => !isBeyond(window)) + 1
  const since = (points.slice(begin).find(({ value }) => isBeyond(value)) ?? points.at(-1)!).update
  const [was, is] = [before, now].map((value) => Number(value.toPrecision(3)))
  return {
    metric,
    since,
    now,
    before,
    message: `${what}: ${metric} is ${is} in the last ${size} updates, was ${was}; since update ${since}`,
    remedy,
  }
}

/** Means of each so many values that follow each other. */
const means = (points: readonly { value: number }[], size: number): number[] =>
  points.slice(size - 1).map((_, i) => mean(points.slice(i, i + size).map(({ value }) => value)))

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length

/** Warnings that the record before did not have. */
export function newWarnings(records: readonly UpdateRecord[]): CollapseWarning[] {
  const [before, last] = [records.at(-2)?.warnings ?? [], records.at(-1)?.warnings ?? []]
  return last.filter(({ metric }) => !before.some((one) => one.metric === metric))
}
