// Small cases derived by hand, and the edges: masks, empty rows, groups of one, microbatches of unequal size.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { generalizedAdvantages } from '../../src/algorithm/gae.js'
import { groupAdvantages, hasVariance, informativeGroups } from '../../src/algorithm/group-advantage.js'
import { importanceWeights, samplerMismatch } from '../../src/algorithm/importance-weights.js'
import { klEstimates } from '../../src/algorithm/kl-estimate.js'
import { leaveOneOutAdvantages } from '../../src/algorithm/leave-one-out.js'
import { lossShares } from '../../src/algorithm/loss-share.js'
import { overlongPenalty } from '../../src/reward/overlong-penalty.js'
import {
  discountedReturns,
  reinforceAdvantages,
  reinforcePlusPlusAdvantages,
  reinforcePlusPlusBaselineAdvantages,
} from '../../src/algorithm/reinforce.js'
import { tokenRewards } from '../../src/algorithm/token-rewards.js'
import { explainedVariance } from '../../src/algorithm/value-loss.js'
import { whiten } from '../../src/algorithm/whiten.js'
import { policyLoss, valueLoss } from './run-loss.js'

const near = (values: readonly number[]): unknown => values.map((value) => expect.closeTo(value, 6) as number)

describe('group advantages', () => {
  it('divide by the sample or the population deviation', () => {
    // Mean 1, deviations √2 and 1.
    expect(groupAdvantages([[0, 2]], { epsilon: 0 })[0]).toEqual(near([-Math.SQRT1_2, Math.SQRT1_2]))
    expect(groupAdvantages([[0, 2]], { epsilon: 0, deviation: 'population' })[0]).toEqual(near([-1, 1]))
    expect(groupAdvantages([[0, 2]], { epsilon: 1 - Math.SQRT2 + 1, scale: 'group' })[0]).toEqual(near([-0.5, 0.5]))
  })
  it('of the batch divide every group by one deviation', () => {
    // All four: mean 2, squares 4 + 0 + 4 + 0 over 3.
    const deviation = Math.sqrt(8 / 3)
    expect(
      groupAdvantages(
        [
          [0, 2],
          [4, 2],
        ],
        { epsilon: 0, scale: 'batch' },
      ),
    ).toEqual([near([-1 / deviation, 1 / deviation]), near([1 / deviation, -1 / deviation])])
  })
  it('are 0 in a group of one or of equal rewards, however rounded', () => {
    expect(groupAdvantages([[0.7], [0.3, 0.1 + 0.2]])).toEqual([[0], [0, 0]])
    expect(groupAdvantages([[0.7]], { groupOfOne: 'reward', epsilon: 0 })).toEqual([[0.7]])
    expect(hasVariance([0.3, 0.1 + 0.2])).toBe(false)
  })
  it('of RLOO compare with the mean of the others', () => {
    // 3 − (1 + 2)/2, 1 − (3 + 2)/2, 2 − (3 + 1)/2
    expect(leaveOneOutAdvantages([[3, 1, 2], [5]])).toEqual([[1.5, -1.5, 0], [0]])
    expect(leaveOneOutAdvantages([[5]], { groupOfOne: 'reward' })).toEqual([[5]])
  })
  it('dynamic sampling takes the groups that differ, no more than wanted', () => {
    const groups = [[1, 1], [1, 0], [0], [], [0, 0.5], [0.2, 0.1]]
    expect(informativeGroups(groups)).toEqual([1, 4, 5])
    expect(informativeGroups(groups, 2)).toEqual([1, 4])
  })
})

describe('rewards and returns of tokens', () => {
  it('the reward stands on the last policy token, the divergence on each', () => {
    expect(tokenRewards(1, [0.5, 0, 2], 0.1)).toEqual(near([-0.05, 0, 0.8]))
    expect(tokenRewards(1, [], 0.1)).toEqual([])
  })
  it('reach every token before them, observations or not', () => {
    // The row has policy tokens alone: two before an observation, one after it.
    expect(discountedReturns([0, 0, 1])).toEqual([1, 1, 1])
    expect(discountedReturns([1, 0, 4], 0.5)).toEqual([2, 2, 4])
    expect(discountedReturns([])).toEqual([])
  })
  it('of REINFORCE are the sum on each token', () => {
    expect(reinforceAdvantages([[-0.5, 1.5], [], [2]])).toEqual([[1, 1], [], [2]])
  })
  it('of GAE by hand', () => {
    // γ = λ = 0.5. δ₁ = 1 − 2 = −1; δ₀ = 0 + 0.5·2 − 4 = −3; A₁ = −1, A₀ = −3 + 0.25·(−1).
    expect(generalizedAdvantages([0, 1], [4, 2], { gamma: 0.5, lambda: 0.5 })).toEqual({
      advantages: [-3.25, -1],
      returns: [0.75, 1],
    })
    expect(generalizedAdvantages([], [])).toEqual({ advantages: [], returns: [] })
  })
  it('of GAE with γ = λ = 1 are the reward’s sum, whatever the critic says', () => {
    const row = fc.array(
      fc.tuple(fc.double({ min: -3, max: 3, noNaN: true }), fc.double({ min: -3, max: 3, noNaN: true })),
    )
    fc.assert(
      fc.property(row, (pairs) => {
        const rewards = pairs.map(([reward]) => reward)
        const { returns } = generalizedAdvantages(
          rewards,
          pairs.map(([, value]) => value),
        )
        expect(returns).toEqual(near(discountedReturns(rewards)))
      }),
    )
  })
})

describe('whitening', () => {
  it('counts each policy token alike; rows may be empty', () => {
    // 1, 1, 1, 5: mean 2, squares 12 over 3.
    expect(whiten([[1, 1, 1], [], [5]], { epsilon: 0 })).toEqual([near([-0.5, -0.5, -0.5]), [], near([1.5])])
    expect(whiten([[1, 1, 1], [], [5]], { epsilon: 0, shiftMean: false })[2]).toEqual(near([3.5]))
  })
  it('of one token, of equal ones and of none is 0 or nothing', () => {
    expect(whiten([[7]])).toEqual([[0]])
    expect(whiten([[0.3, 0.3], [0.3]])).toEqual([near([0, 0]), near([0])])
    expect(whiten([[], []])).toEqual([[], []])
  })
  it('of REINFORCE++-baseline weighs a group’s centred rewards by their tokens', () => {
    // Centred ±0.5 with 3 and 1 tokens: mean 0.25, squares 3·0.0625 + 0.5625 over 3 = 0.25.
    const rows = reinforcePlusPlusBaselineAdvantages([[1, 0]], [[3, 1]], { epsilon: 0 })
    expect(rows).toEqual([near([0.5, 0.5, 0.5]), near([-1.5])])
  })
  it('of REINFORCE++ is that of the returns', () => {
    expect(reinforcePlusPlusAdvantages([[0, 1], [0]], { epsilon: 0 })).toEqual(whiten([[1, 1], [0]], { epsilon: 0 }))
  })
})

describe('shares of the loss', () => {
  it('by tokens, by sequences, by a constant', () => {
    expect(lossShares([1, 3], { aggregation: 'token' })).toEqual([0.25, 0.25])
    expect(lossShares([1, 3, 0], { aggregation: 'sequence' })).toEqual([0.5, 0.5 / 3, 0])
    expect(lossShares([1, 3, 0], { aggregation: 'constant', divisor: 10 })).toEqual([0.05, 0.05, 0])
    expect(lossShares([1, 0], { aggregation: 'constant', divisor: 10, emptySequences: 'count' })).toEqual([0.05, 0])
    expect(lossShares([0, 0], { aggregation: 'token' })).toEqual([0, 0])
    expect(lossShares([], { aggregation: 'sequence' })).toEqual([])
  })
  it.each([undefined, 0, -1, NaN])('a constant needs a positive divisor, not %s', (divisor) => {
    const options = { aggregation: 'constant', ...(divisor !== undefined && { divisor }) } as const
    expect(() => lossShares([1], options)).toThrow(/positive divisor/)
  })
})

describe('the divergence', () => {
  it('estimated by k1, k2 and k3', () => {
    const of = (estimator: 'k1' | 'k2' | 'k3' | 'k1+' | 'k3+', clamp?: number): number =>
      klEstimates([-1], [-3], { estimator, ...(clamp !== undefined && { clamp }) })[0]!
    expect([of('k1'), of('k1+'), of('k2')]).toEqual([2, 2, 2])
    expect(of('k3')).toBeCloseTo(Math.exp(-2) + 2 - 1, 12)
    expect(klEstimates([-9], [-1])).toEqual([10])
    expect(klEstimates([-9], [-1], { clamp: Infinity })[0]).toBeCloseTo(Math.exp(8) - 9, 6)
  })
})

describe('sampler and trainer', () => {
  const [half, double] = [Math.log(0.5), Math.log(2)]
  it('a weight for each token, or the product of a sequence', () => {
    const trainer = [[double, double, half], []]
    const sampler = [[0, 0, 0], []]
    expect(importanceWeights(trainer, sampler, { max: 1.5 })).toEqual([near([1.5, 1.5, 0.5]), []])
    expect(importanceWeights(trainer, sampler, { level: 'sequence', max: 5 })).toEqual([near([2, 2, 2]), []])
    expect(importanceWeights(trainer, sampler, { max: 1.5, min: 0.4, outside: 'mask' })[0]).toEqual(near([0, 0, 0.5]))
  })
  it('agree with themselves', () => {
    expect(importanceWeights([[-1, -2]], [[-1, -2]])).toEqual([[1, 1]])
    expect(samplerMismatch([[-1, -2]], [[-1, -2]])).toMatchObject({ k3: 0, maxDifference: 0 })
    expect(samplerMismatch([[]], [[]])).toEqual({ kl: 0, k3: 0, maxDifference: 0 })
  })
})

it('the overlong penalty grows over the buffer and stops', () => {
  const penalties = [80, 90, 100, 300].map((length) =>
    overlongPenalty(length, { maxLength: 100, buffer: 20, factor: 2 }),
  )
  expect(penalties).toEqual([-0, -1, -2, -2].map((value) => expect.closeTo(value, 12) as number))
})

it('the critic’s explained variance', () => {
  expect(explainedVariance([1, 2, 3], [1, 2, 3])).toBe(1)
  expect(explainedVariance([2, 2, 2], [1, 2, 3])).toBe(0)
  expect(explainedVariance([3, 2, 1], [1, 2, 3])).toBe(-3)
  expect(explainedVariance([1, 2], [5, 5])).toBe(0)
  expect(explainedVariance([], [])).toBe(0)
})

describe('the policy loss', () => {
  const one = { refLogprobs: [[0]], weights: [[1]], mask: [[1]], shares: [1] }
  const bounds = { clipLow: 0.2, clipHigh: 0.28, klCoef: 0 }
  const at = (ratio: number, advantage: number, options = {}): ReturnType<typeof policyLoss> =>
    policyLoss(
      { ...one, logprobs: [[Math.log(ratio)]], oldLogprobs: [[0]], advantages: [[advantage]] },
      { ...bounds, ...options },
    )

  it.each([
    // ratio, advantage, loss, d loss / d log-probability (= −r·A where not clipped), clipped
    [1.1, 1, -1.1, -1.1, 0],
    [1.5, 1, -1.28, 0, 1],
    [0.5, 1, -0.5, -0.5, 0],
    [0.5, -1, 0.8, 0, 1],
    [1.5, -1, 1.5, 1.5, 0],
    [5, -1, 5, 5, 0],
    [1.1, 0, 0, 0, 0],
  ])('ratio %f, advantage %f: loss %f, gradient %f', async (ratio, advantage, loss, gradient, clipped) => {
    const result = await at(ratio, advantage)
    expect(result.loss).toBeCloseTo(loss, 5)
    expect(result.gradient[0]).toBeCloseTo(gradient, 5)
    expect(result.clipped).toBe(clipped)
    expect([result.maxRatio, result.minRatio]).toEqual(near([ratio, ratio]))
    expect(result.oldKl).toBeCloseTo(-Math.log(ratio), 5)
  })

  it('dual clip binds bad tokens alone', async () => {
    expect(await at(5, -1, { dualClip: 3 })).toMatchObject({ loss: 3, clipped: 1, gradient: [0] })
    expect((await at(2, -1, { dualClip: 3 })).loss).toBeCloseTo(2, 6)
    expect((await at(5, 1, { dualClip: 3 })).loss).toBeCloseTo(-1.28, 6)
  })

  it('is finite, and so is its gradient, where a ratio or a divergence would not be', async () => {
    const rows = { ...one, logprobs: [[0]], oldLogprobs: [[-500]], advantages: [[-1]], refLogprobs: [[400]] }
    const result = await policyLoss(rows, { ...bounds, klCoef: 0.1 })
    expect(Number.isFinite(result.loss) && Number.isFinite(result.gradient[0])).toBe(true)
  })

  it('only a ratio of the token does without sequences', async () => {
    // Geometric mean of 4 and 1 is 2, the product 4. Both are above 1.28, so that nothing is left of the gradient.
    const rows = {
      logprobs: [[Math.log(4), 0]],
      oldLogprobs: [[0, 0]],
      refLogprobs: [[0, 0]],
      weights: [[1, 1]],
      advantages: [[-1, -1]],
      mask: [[1, 1]],
      shares: [0.5],
    }
    expect((await policyLoss(rows, { ...bounds, ratio: 'sequence' })).loss).toBeCloseTo(2, 5)
    expect((await policyLoss(rows, { ...bounds, ratio: 'trajectory' })).loss).toBeCloseTo(4, 5)
  })

  it('is the same in one microbatch as in several of unequal size', async () => {
    const rows = {
      logprobs: [
        [-1, -0.5, -2],
        [-0.1, -3, -1],
        [-1, -1, -1],
      ],
      oldLogprobs: [
        [-1.2, -0.5, -1],
        [-0.4, -2, -1.1],
        [-1, -0.8, -1],
      ],
      refLogprobs: [
        [-1, -1, -1],
        [-1, -1, -1],
        [-1, -2, -1],
      ],
      advantages: [
        [1, 1, 1],
        [-0.5, -0.5, -0.5],
        [2, 2, 2],
      ],
      weights: [
        [1, 0.5, 1],
        [1, 1, 2],
        [1, 1, 1],
      ],
      mask: [
        [1, 0, 1],
        [1, 1, 1],
        [0, 0, 1],
      ],
      weighted: true,
    }
    const part = (places: number[]): typeof rows =>
      Object.fromEntries(
        Object.entries(rows).map(([key, value]) => [key, Array.isArray(value) ? places.map((i) => value[i]!) : value]),
      ) as typeof rows
    for (const aggregation of ['token', 'sequence', 'constant'] as const) {
      for (const ratio of ['token', 'sequence', 'trajectory'] as const) {
        const shares = lossShares([2, 3, 1], { aggregation, divisor: 7 })
        const options = { ...bounds, klCoef: 0.1, ratio }
        const whole = await policyLoss({ ...rows, shares }, options)
        const parts = await Promise.all(
          [[0, 2], [1]].map((places) =>
            policyLoss({ ...part(places), shares: places.map((i) => shares[i]!) }, options),
          ),
        )
        for (const key of ['loss', 'kl', 'clipped', 'oldKl'] as const)
          expect(parts[0]![key] + parts[1]![key]).toBeCloseTo(whole[key], 5)
        const [first, second] = parts.map(({ gradient }) => gradient)
        expect([...first!.slice(0, 3), ...second!, ...first!.slice(3)]).toEqual(near(whole.gradient))
      }
    }
  })
})

it('the value loss by hand', async () => {
  const rows = { mask: [[1, 0, 1, 1]], shares: [1 / 3] }
  // Errors 1² (unbound), then 0 against (0.5 − 1)² bound at 0.5, then 4 against (3.5 − 0)²: the larger counts.
  const values = [[1, 9, 1, 2]]
  const oldValues = [[1, 9, 0, 4]]
  const returns = [[0, 9, 1, 0]]
  const bound = await valueLoss({ ...rows, values, oldValues, returns }, 0.5)
  expect(bound.loss).toBeCloseTo((0.5 * (1 + 0.25 + 12.25)) / 3, 6)
  expect(bound.gradient).toEqual(near([1 / 3, 0, 0, 0]))
  expect(bound.clipped).toBe(2)
  const free = await valueLoss({ ...rows, values, oldValues, returns }, Infinity)
  expect(free.loss).toBeCloseTo((0.5 * (1 + 0 + 4)) / 3, 6)
  expect(free.gradient).toEqual(near([1 / 3, 0, 0, 2 / 3]))
})
