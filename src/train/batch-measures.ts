import { hasVariance } from '../algorithm/group-advantage.js'
import { exactMatch } from '../reward/answer-metrics.js'
import { summarizeFailures } from '../schema/failure-summary.js'
import type { Trajectory } from '../schema/trajectory.js'
import type { UpdateRecord } from '../schema/update-record.js'
import type { Group } from './learner.js'
import type { Rewarded } from './rewarded.js'

/** What an update's record says of its rollouts. Means are over those that did not fail, 0 where there are none. */
export type BatchMeasures = Pick<
  UpdateRecord,
  | 'reward'
  | 'rewardParts'
  | 'em'
  | 'searchesPerQuestion'
  | 'searchFaults'
  | 'answered'
  | 'validActions'
  | 'tokensPerTrajectory'
  | 'policyTokensPerTrajectory'
  | 'observationTokensPerTrajectory'
  | 'trajectories'
  | 'failed'
  | 'failures'
  | 'groups'
  | 'zeroVarianceGroups'
  | 'zeroVarianceShare'
> &
  Likelihoods

type Likelihoods = Pick<
  UpdateRecord,
  'entropy' | 'correctLogprobMean' | 'correctLogprobLow' | 'incorrectLogprobMean' | 'incorrectLogprobLow'
>

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
const mean = (values: readonly number[]): number => (values.length === 0 ? 0 : sum(values) / values.length)

/**
 * @param rewarded All trajectories, the failed ones included.
 * @param groups Without the failed ones.
 */
export function measureBatch(
  rewarded: readonly Rewarded[],
  groups: readonly Group[],
  groupSize: number,
): BatchMeasures {
  const all = rewarded.map(({ trajectory }) => trajectory)
  const whole = groups.flatMap((group) => group.trajectories)
  const { failed, causes } = summarizeFailures(all)
  const parts = rewarded.flatMap((one) => (one.parts ? [one.parts] : []))
  const names = Object.keys(parts[0] ?? {})
  const actions = whole.flatMap(({ turns }) => turns.map(({ action }) => action))
  const policyTokens = whole.map(({ lossMask }) => sum(lossMask))
  const zeroVarianceGroups = groups.filter((group) => !hasVariance(group.rewards)).length
  return {
    reward: mean(groups.flatMap((group) => group.rewards)),
    ...(names.length > 0 && {
      rewardParts: Object.fromEntries(names.map((name) => [name, mean(parts.map((part) => part[name]!))])),
    }),
    em: mean(whole.map(scoreOf)),
    searchesPerQuestion: mean(whole.map(({ searches }) => searches)),
    searchFaults: sum(all.map(faultsOf)),
    answered: mean(whole.map(({ answer }) => (answer === null ? 0 : 1))),
    validActions: mean(actions.map(({ kind }) => (kind === 'invalid' ? 0 : 1))),
    tokensPerTrajectory: mean(whole.map(({ ids }) => ids.length)),
    policyTokensPerTrajectory: mean(policyTokens),
    observationTokensPerTrajectory: mean(
      whole.map(({ ids, promptLength }, i) => ids.length - promptLength - policyTokens[i]!),
    ),
    trajectories: whole.length,
    failed,
    ...(failed > 0 && { failures: causes }),
    groups: groups.length,
    zeroVarianceGroups,
    ...(groupSize > 1 && groups.length > 0 && { zeroVarianceShare: zeroVarianceGroups / groups.length }),
    ...likelihoods(whole),
  }
}

const scoreOf = ({ answer, question }: Trajectory): number => exactMatch(answer, question.goldAnswers)

/** Searches of a trajectory that failed, or in whose answer nothing could be read. */
const faultsOf = ({ turns, failure }: Trajectory): number =>
  turns.filter(({ observation }) => observation?.unread !== undefined).length +
  Number(failure?.boundary === 'search' || failure?.boundary === 'parse')

function likelihoods(trajectories: readonly Trajectory[]): Likelihoods {
  const correct: number[] = []
  const incorrect: number[] = []
  let total = 0
  let count = 0
  for (const trajectory of trajectories) {
    const tokens = trajectory.logprobs.filter((_, i) => trajectory.lossMask[i] === 1)
    if (tokens.length === 0) continue
    total += sum(tokens)
    count += tokens.length
    const side = scoreOf(trajectory) === 1 ? correct : incorrect
    side.push(sum(tokens) / tokens.length)
  }
  return {
    ...(Number.isFinite(total) && count > 0 && { entropy: -total / count }),
    ...(isMeasured(correct) && { correctLogprobMean: mean(correct), correctLogprobLow: lowOf(correct) }),
    ...(isMeasured(incorrect) && { incorrectLogprobMean: mean(incorrect), incorrectLogprobLow: lowOf(incorrect) }),
  }
}

const isMeasured = (values: readonly number[]): boolean => values.length > 0 && values.every(Number.isFinite)

/** A tenth of the values lies below it, or at it. */
const lowOf = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 10)]!
