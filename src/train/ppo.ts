import { z } from 'zod'
import { generalizedAdvantages } from '../algorithm/gae.js'
import { explainedVariance } from '../algorithm/value-loss.js'
import { whiten } from '../algorithm/whiten.js'
import { disposeWeights } from '../model/weights.js'
import { compileValues, createCritic, criticSchema, readValues } from './critic.js'
import { rolloutMicrobatches } from './microbatch.js'
import type { CriticSettings } from './critic.js'
import type { Learner } from './learner.js'
import type { Trainable } from './loss-function.js'
import { createRewardShaping } from './policy-gradient.js'
import type { AdvantagesOf, BatchRewards } from './policy-gradient.js'
import { policySettings } from './policy-settings.js'
import { createPolicyUpdater } from './policy-updater.js'
import type { UpdaterSettings } from './policy-updater.js'
import type { ReturnSettings } from './reinforce.js'
import type { TokenRows } from './target-rows.js'
import { noEvidence, trainedBatch } from './trained-batch.js'
import { createValueHead } from './value-head.js'

/** Settings of PPO (arXiv 1707.06347) beside those of every algorithm. */
export interface PpoSettings extends ReturnSettings {
  /** Of generalized advantage estimation: 1 is the whole return, 0 one step. Default 1, as in the paper. */
  lambda?: number
  /** The value model. */
  critic?: Partial<CriticSettings>
}

const unit = z.number().min(0).max(1).default(1)

export const ppoSettings = {
  ...policySettings({ klIn: 'reward' }),
  gamma: unit,
  lambda: unit,
  critic: criticSchema.default(criticSchema.parse({})),
}

/** Those of PPO: GAE by the critic's values, whitened over the batch's policy tokens. */
export function ppoAdvantages(
  { tokens }: Pick<BatchRewards, 'tokens'>,
  { gamma = 1, lambda = 1 }: Pick<PpoSettings, 'gamma' | 'lambda'>,
  values: TokenRows = [],
): Required<ReturnType<AdvantagesOf<unknown>>> {
  const estimates = tokens.map((row, i) => generalizedAdvantages(row, values[i]!, { gamma, lambda }))
  return {
    advantages: whiten(estimates.map(({ advantages }) => advantages)),
    returns: estimates.map(({ returns }) => returns),
  }
}

/**
 * PPO with a critic: GAE over the policy's tokens alone, whitened over the batch's; values are carried across observations. The
 * policy of this moment becomes the reference, and the critic begins as a copy of it.
 */
export async function createPpo(
  policy: Trainable,
  settings: UpdaterSettings & PpoSettings & { updates: number },
): Promise<Learner> {
  const { microbatchTokens } = settings
  const criticSettings = criticSchema.parse(settings.critic ?? {})
  const { shared, warmupUpdates, valueClip, valueCoef } = criticSettings
  const head = shared ? await createValueHead(policy) : undefined
  const critic = shared ? undefined : await createCritic(policy, criticSettings, settings)
  const updater = await createPolicyUpdater(policy, settings, head && { head, clip: valueClip, coef: valueCoef })
  const headValues = head && compileValues(policy, settings)
  const shaping = createRewardShaping(settings)
  const { optimizer } = updater
  let update = 0
  return {
    async step(groups, learningRate) {
      const { sequences, groupSizes } = trainedBatch(groups, settings.maskObservations)
      const skipped = noEvidence(sequences)
      if (skipped !== undefined) return { loss: 0, kl: 0, clipFraction: 0, gradNorm: 0, skipped }
      const { samplerKl, ...measured } = await updater.measure(sequences)
      const oldValues = critic
        ? await critic.values(sequences)
        : await readValues(
            headValues!,
            updater.model,
            sequences,
            rolloutMicrobatches(sequences, policy.config, microbatchTokens),
          )
      const rewards = shaping.rewards(sequences, groupSizes, measured, optimizer.steps > 0)
      const { advantages, returns } = ppoAdvantages(rewards, settings, oldValues)
      const rows = { ...measured, advantages, oldValues, returns }
      const criticSteps = critic?.steps(sequences, oldValues, returns, update)
      const frozen = critic !== undefined && update < warmupUpdates
      const { skipped: _, ...step } = await updater.learn(sequences, rows, learningRate, criticSteps, frozen)
      update++
      const measures = {
        ...step.measures,
        ...criticSteps?.measures(),
        explainedVariance: explainedVariance(oldValues.flat(), returns.flat()),
        ...shaping.measures(),
        ...(samplerKl !== undefined && { samplerKl }),
      }
      shaping.adapt(rewards.kl)
      return { ...step, measures }
    },
    state: () => ({
      weights: {
        ...updater.state().weights,
        ...(head && { valueHead: head }),
        ...(critic && { critic: critic.weights, criticOptimizer: critic.optimizer.moments }),
      },
      counters: {
        ...updater.state().counters,
        updates: update,
        ...(critic && { criticOptimizerSteps: critic.optimizer.steps }),
        ...shaping.measures(),
      },
    }),
    async restore(counters) {
      await updater.restore(counters)
      update = counters['updates']!
      if (critic) critic.optimizer.steps = counters['criticOptimizerSteps']!
      shaping.restore(counters)
    },
    examine: () => updater.examine(),
    dispose() {
      updater.dispose()
      critic?.dispose()
      headValues?.dispose()
      if (head) disposeWeights(head)
    },
  }
}
