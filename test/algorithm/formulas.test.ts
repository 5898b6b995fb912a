// Whole updates' numbers by the papers' formulas, independently written in torch (test/parity/make-formulas.py).
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { generalizedAdvantages } from '../../src/algorithm/gae.js'
import { groupAdvantages } from '../../src/algorithm/group-advantage.js'
import type { GroupAdvantageOptions } from '../../src/algorithm/group-advantage.js'
import { importanceWeights } from '../../src/algorithm/importance-weights.js'
import type { ImportanceOptions } from '../../src/algorithm/importance-weights.js'
import { klEstimates } from '../../src/algorithm/kl-estimate.js'
import type { KlEstimator } from '../../src/algorithm/kl-estimate.js'
import { leaveOneOutAdvantages } from '../../src/algorithm/leave-one-out.js'
import type { LeaveOneOutOptions } from '../../src/algorithm/leave-one-out.js'
import { lossShares } from '../../src/algorithm/loss-share.js'
import type { LossShareOptions } from '../../src/algorithm/loss-share.js'
import type { PolicyLossOptions } from '../../src/algorithm/policy-loss.js'
import {
  reinforceAdvantages,
  reinforcePlusPlusAdvantages,
  reinforcePlusPlusBaselineAdvantages,
} from '../../src/algorithm/reinforce.js'
import { tokenRewards } from '../../src/algorithm/token-rewards.js'
import { explainedVariance } from '../../src/algorithm/value-loss.js'
import { whiten } from '../../src/algorithm/whiten.js'
import { policyLoss, valueLoss } from './run-loss.js'

type Rows = number[][]

interface Options {
  advantage: 'group' | 'rloo' | 'gae' | 'reinforce++' | 'reinforce++-baseline' | 'reinforce'
  gamma: number
  lambda: number
  rewardKl: number
  rewardEstimator: KlEstimator
  weighted: boolean
  dualClip: number | null
  valueClip: number | null
}

interface Case {
  options: Options &
    Required<GroupAdvantageOptions & LeaveOneOutOptions & ImportanceOptions & LossShareOptions> &
    Required<Omit<PolicyLossOptions, 'dualClip'>>
  groups: Rows
  /** Rows of the first of the two microbatches. */
  split: number
  mask: Rows
  /** [rows, tokens], observations among them. */
  logprobs: Rows
  oldLogprobs: Rows
  samplerLogprobs: Rows
  refLogprobs: Rows
  values?: Rows
  oldValues?: Rows
  /** For each row its policy tokens alone; so are all that follow. */
  rewards: Rows
  advantages: Rows
  weights: Rows
  losses: number[]
  gradient: Rows
  returns?: Rows
  valueLosses?: number[]
  valueGradient?: Rows
  explainedVariance?: number
}

const { cases } = JSON.parse(readFileSync(join(import.meta.dirname, '../parity/fixtures/formulas.json'), 'utf8')) as {
  cases: Case[]
}

function expectNear(what: string, actual: readonly number[], expected: readonly number[]): void {
  expect(actual.length, what).toBe(expected.length)
  expected.forEach((value, i) => {
    const message = `${what}: ${actual[i]} instead of ${value}, value ${i}`
    expect(Math.abs(actual[i]! - value), message).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(value)))
  })
}

/** Of each row the policy's tokens alone. */
const policyTokens = (rows: Rows, mask: Rows): Rows => rows.map((row, i) => row.filter((_, t) => mask[i]![t] === 1))

/** Back among the observations, which get 0. */
function amongAll(rows: Rows, mask: Rows): Rows {
  return rows.map((row, i) => {
    let next = 0
    return mask[i]!.map((m) => (m === 1 ? row[next++]! : 0))
  })
}

function advantagesOf(options: Case['options'], groups: Rows, rewards: Rows, values: Rows): [Rows, Rows?] {
  const { advantage, gamma, lambda, deviation } = options
  const onAllTokens = (of: Rows): Rows => of.flat().map((a, i) => rewards[i]!.map(() => a))
  if (advantage === 'group') return [onAllTokens(groupAdvantages(groups, options))]
  if (advantage === 'rloo') return [onAllTokens(leaveOneOutAdvantages(groups, options))]
  if (advantage === 'reinforce') return [reinforceAdvantages(rewards)]
  if (advantage === 'reinforce++') return [reinforcePlusPlusAdvantages(rewards, { gamma, deviation })]
  if (advantage === 'gae') {
    const estimates = rewards.map((row, i) => generalizedAdvantages(row, values[i]!, { gamma, lambda }))
    const [advantages, returns] = [estimates.map((of) => of.advantages), estimates.map((of) => of.returns)]
    return [whiten(advantages, { deviation }), returns]
  }
  let row = 0
  const tokens = groups.map((group) => group.map(() => rewards[row++]!.length))
  const { groupOfOne } = options
  return [reinforcePlusPlusBaselineAdvantages(groups, tokens, { groupOfOne, deviation })]
}

it.each(cases.map((of, i): [number, string, Case] => [i, of.options.advantage, of]))(
  'case %i, %s: rewards of tokens, advantages, weights, losses and gradients over two microbatches',
  async (_, __, expected) => {
    const { options, groups, mask, split, values, oldValues, returns } = expected
    const of = (rows: Rows): Rows => policyTokens(rows, mask)
    const [old, reference] = [of(expected.oldLogprobs), of(expected.refLogprobs)]
    const { rewardEstimator: estimator, clamp, dualClip, valueClip, weighted, ...others } = options
    const rewards = old.map((row, i) =>
      tokenRewards(groups.flat()[i]!, klEstimates(row, reference[i]!, { estimator, clamp }), options.rewardKl),
    )
    expectNear('rewards', rewards.flat(), expected.rewards.flat())

    const [advantages, found] = advantagesOf(options, groups, rewards, of(oldValues ?? []))
    expectNear('advantages', advantages.flat(), expected.advantages.flat())
    const weights = importanceWeights(old, of(expected.samplerLogprobs), options)
    expectNear('weights', weights.flat(), expected.weights.flat())

    const rows = {
      logprobs: expected.logprobs,
      oldLogprobs: expected.oldLogprobs,
      refLogprobs: expected.refLogprobs,
      advantages: amongAll(advantages, mask),
      weights: amongAll(weights, mask),
      mask,
      shares: lossShares(
        old.map(({ length }) => length),
        options,
      ),
    }
    const microbatches = (['first', 'second'] as const).filter((part) => part === 'first' || split < mask.length)
    const bounds = (part: 'first' | 'second'): [number, number] =>
      part === 'first' ? [0, split] : [split, mask.length]
    for (const [m, part] of microbatches.entries()) {
      const cut = <T>(all: readonly T[]): T[] => all.slice(...bounds(part))
      const batch = Object.fromEntries(
        Object.entries(rows).map(([key, all]) => [key, cut<unknown>(all)]),
      ) as typeof rows
      const result = await policyLoss(
        { ...batch, weighted },
        { ...others, estimator: options.estimator, clamp, ...(dualClip !== null && { dualClip }) },
      )
      expectNear('loss', [result.loss], [expected.losses[m]!])
      expectNear('gradient', result.gradient, amongAll(cut(expected.gradient), batch.mask).flat())
      if (!values || !oldValues || !returns) continue
      const { mask: tokens, shares } = batch
      const critic = await valueLoss(
        {
          values: cut(values),
          oldValues: cut(oldValues),
          returns: amongAll(cut(found!), tokens),
          mask: tokens,
          shares,
        },
        valueClip ?? Infinity,
      )
      expectNear('value loss', [critic.loss], [expected.valueLosses![m]!])
      expectNear('value gradient', critic.gradient, amongAll(cut(expected.valueGradient!), tokens).flat())
    }
    if (!returns || !oldValues) return
    expectNear('returns', found!.flat(), returns.flat())
    const explained = explainedVariance(of(oldValues).flat(), found!.flat())
    expectNear('explained variance', [explained], [expected.explainedVariance!])
  },
)
