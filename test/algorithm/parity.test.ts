// Advantages, losses and gradients against TRL's and verl's own code (test/parity/make-algorithms.py).
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { adaptKlCoef } from '../../src/algorithm/adaptive-kl.js'
import { generalizedAdvantages } from '../../src/algorithm/gae.js'
import { groupAdvantages } from '../../src/algorithm/group-advantage.js'
import type { GroupAdvantageOptions } from '../../src/algorithm/group-advantage.js'
import { importanceWeights, samplerMismatch } from '../../src/algorithm/importance-weights.js'
import type { ImportanceOptions } from '../../src/algorithm/importance-weights.js'
import { klEstimates } from '../../src/algorithm/kl-estimate.js'
import { leaveOneOutAdvantages } from '../../src/algorithm/leave-one-out.js'
import { lossShares } from '../../src/algorithm/loss-share.js'
import type { LossAggregation } from '../../src/algorithm/loss-share.js'
import { overlongPenalty } from '../../src/reward/overlong-penalty.js'
import type { PolicyLossOptions } from '../../src/algorithm/policy-loss.js'
import { reinforcePlusPlusAdvantages, reinforcePlusPlusBaselineAdvantages } from '../../src/algorithm/reinforce.js'
import { tokenRewards } from '../../src/algorithm/token-rewards.js'
import { whiten } from '../../src/algorithm/whiten.js'
import { policyLoss, valueLoss } from './run-loss.js'

type Rows = number[][]
type BatchField =
  'logprobs' | 'oldLogprobs' | 'refLogprobs' | 'advantages' | 'weights' | 'values' | 'oldValues' | 'returns' | 'mask'
type Library = 'trl' | 'verl'

interface Golden {
  batches: Record<BatchField, Rows>[]
  losses: (PolicyLossOptions & {
    of: Library
    batch: number
    aggregation: LossAggregation
    weighted: boolean
    loss: number
    gradient: Rows
    kl?: number
    clipFraction?: number
    oldKl?: number
  })[]
  valueLosses: {
    batch: number
    clip: number
    aggregation: LossAggregation
    loss: number
    gradient: Rows
    clipFraction: number
  }[]
  groupAdvantages: {
    of: Library
    groups: Rows
    scale: NonNullable<GroupAdvantageOptions['scale']>
    advantages: Rows
  }[]
  leaveOneOut: { of: Library; groups: Rows; normalize: boolean; advantages: Rows }[]
  tokenAdvantages: {
    batch: number
    groups: Rows
    klCoef: number
    gamma: number
    lambda: number
    rewards: Rows
    gae: Rows
    returns: Rows
    reinforcePlusPlus: Rows
    reinforcePlusPlusBaseline?: Rows
  }[]
  importanceWeights: { of: Library; batch: number; options: ImportanceOptions; weights: Rows }[]
  samplerMismatch: { batch: number; kl: number; k3: number }[]
  adaptiveKl: {
    start: number
    target: number
    horizon: number
    steps: { kl: number; trajectories: number; klCoef: number }[]
  }
  overlong: { maxLength: number; buffer: number; lengths: number[]; penalties: number[] }
}

const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, '../parity/fixtures/algorithms.json'), 'utf8'),
) as Golden

/** Dr. GRPO's divisor in the script. */
const LENGTH = 5

/** Float32 has seven digits: 1e-5 of the value, or of 1. */
function expectNear(actual: ArrayLike<number>, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length)
  expected.forEach((value, i) => {
    const error = Math.abs(actual[i]! - value)
    expect(error, `${actual[i]} instead of ${value}, value ${i}`).toBeLessThanOrEqual(
      1e-5 * Math.max(1, Math.abs(value)),
    )
  })
}

/** Of each row the policy's tokens alone. */
const policyTokens = (rows: Rows, mask: Rows): Rows => rows.map((row, i) => row.filter((_, t) => mask[i]![t] === 1))

const lengths = (mask: Rows): number[] => mask.map((row) => row.reduce((a, b) => a + b, 0))

/** What TRL does differently is asked for by option. */
const asIn = (of: Library): { clamp: number; emptySequences: 'count' | 'skip'; groupOfOne: 'zero' | 'reward' } =>
  of === 'trl'
    ? { clamp: Infinity, emptySequences: 'count', groupOfOne: 'zero' }
    : { clamp: 10, emptySequences: 'skip', groupOfOne: 'reward' }

describe('the policy loss, its gradient and its measures', () => {
  const cases = golden.losses.map((golden): [string, typeof golden] => {
    const { of, batch, ratio, aggregation, clipLow, clipHigh, dualClip, klCoef, estimator, weighted } = golden
    const bounds = [clipLow, clipHigh, dualClip ?? 'no dual clip', weighted ? 'weighted' : 'not weighted'].join(', ')
    return [`${of}, batch ${batch}, ratio of ${ratio}, ${aggregation}, ${bounds}, ${klCoef} ${estimator}`, golden]
  })
  it.each(cases)('%s', async (_, expected) => {
    const { of, batch, aggregation, weighted, loss, gradient, kl, clipFraction, oldKl, ...options } = expected
    const { mask, ...values } = golden.batches[batch]!
    const tokens = lengths(mask)
    const { clamp, emptySequences } = asIn(of)
    const shares = lossShares(tokens, { aggregation, divisor: LENGTH, emptySequences })
    const result = await policyLoss({ ...values, shares, mask, weighted }, { ...options, clamp })
    expectNear([result.loss], [loss])
    expectNear(result.gradient, gradient.flat())
    expect(gradient.flat().filter((g) => g !== 0).length).toBeGreaterThan(0)
    const count = tokens.reduce((a, b) => a + b, 0)
    if (kl !== undefined) expectNear([result.kl / count], [kl])
    if (clipFraction !== undefined) expectNear([result.clipped / count], [clipFraction])
    if (oldKl !== undefined) expectNear([result.oldKl / count], [oldKl])
  })
})

it.each(golden.valueLosses)('the value loss of verl, clip $clip, mean over $aggregation', async (expected) => {
  const { mask, values, oldValues, returns } = golden.batches[expected.batch]!
  const shares = lossShares(lengths(mask), { aggregation: expected.aggregation })
  const result = await valueLoss({ values, oldValues, returns, shares, mask }, expected.clip)
  expectNear([result.loss], [expected.loss])
  expectNear(result.gradient, expected.gradient.flat())
  expectNear([result.clipped / lengths(mask).reduce((a, b) => a + b, 0)], [expected.clipFraction])
})

it.each(golden.groupAdvantages)(
  'group advantages of $of, scaled by $scale: $groups',
  ({ of, groups, scale, advantages }) => {
    const epsilon = of === 'trl' ? 1e-4 : 1e-6
    expectNear(groupAdvantages(groups, { scale, epsilon, groupOfOne: asIn(of).groupOfOne }).flat(), advantages.flat())
  },
)

it.each(golden.leaveOneOut)(
  'RLOO’s advantages of $of, normalized $normalize: $groups',
  ({ of, groups, normalize, advantages }) => {
    expectNear(leaveOneOutAdvantages(groups, { normalize, groupOfOne: asIn(of).groupOfOne }).flat(), advantages.flat())
  },
)

it.each(golden.tokenAdvantages)(
  'rewards and advantages of tokens, gamma $gamma, lambda $lambda: $groups',
  (expected) => {
    const { groups, klCoef, gamma, lambda } = expected
    const { mask, oldLogprobs, refLogprobs, values } = golden.batches[expected.batch]!
    const of = (rows: Rows): Rows => policyTokens(rows, mask)
    const ref = of(refLogprobs)
    const rewards = of(oldLogprobs).map((logprobs, i) =>
      tokenRewards(groups.flat()[i]!, klEstimates(logprobs, ref[i]!, { estimator: 'k1' }), klCoef),
    )
    expectNear(rewards.flat(), of(expected.rewards).flat())
    const estimates = rewards.map((row, i) => generalizedAdvantages(row, of(values)[i]!, { gamma, lambda }))
    expectNear(whiten(estimates.map(({ advantages }) => advantages)).flat(), of(expected.gae).flat())
    expectNear(
      estimates.flatMap(({ returns }) => returns),
      of(expected.returns).flat(),
    )
    expectNear(reinforcePlusPlusAdvantages(rewards, { gamma }).flat(), of(expected.reinforcePlusPlus).flat())
    if (expected.reinforcePlusPlusBaseline) {
      let row = 0
      const tokens = groups.map((group) => group.map(() => lengths(mask)[row++]!))
      const baseline = reinforcePlusPlusBaselineAdvantages(groups, tokens)
      expectNear(baseline.flat(), of(expected.reinforcePlusPlusBaseline).flat())
    }
  },
)

it.each(golden.importanceWeights)(
  'importance weights of $of, batch $batch, $options',
  ({ batch, options, weights }) => {
    const { mask, logprobs, oldLogprobs } = golden.batches[batch]!
    const found = importanceWeights(policyTokens(logprobs, mask), policyTokens(oldLogprobs, mask), options)
    expectNear(found.flat(), policyTokens(weights, mask).flat())
  },
)

it.each(golden.samplerMismatch)('the mismatch of sampler and trainer, batch $batch', ({ batch, kl, k3 }) => {
  const { mask, logprobs, oldLogprobs } = golden.batches[batch]!
  const found = samplerMismatch(policyTokens(logprobs, mask), policyTokens(oldLogprobs, mask))
  expectNear([found.kl, found.k3], [kl, k3])
})

it('the adaptive coefficient of the divergence', () => {
  const { start, target, horizon, steps } = golden.adaptiveKl
  let klCoef = start
  for (const { kl, trajectories, klCoef: expected } of steps) {
    klCoef = adaptKlCoef(klCoef, kl, trajectories, { target, horizon })
    expectNear([klCoef], [expected])
  }
})

it('the overlong penalty', () => {
  const { lengths: all, penalties, ...options } = golden.overlong
  expectNear(
    all.map((length) => overlongPenalty(length, options)),
    penalties,
  )
})
