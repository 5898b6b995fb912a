import { z } from 'zod'
import { groupAdvantages, hasVariance } from '../algorithm/group-advantage.js'
import { leaveOneOutAdvantages } from '../algorithm/leave-one-out.js'
import type { Learner } from './learner.js'
import type { Trainable } from './loss-function.js'
import { createPolicyGradient, onTokens } from './policy-gradient.js'
import type { AdvantagesOf } from './policy-gradient.js'
import { policySettings } from './policy-settings.js'
import type { UpdaterSettings } from './policy-updater.js'

/** Settings of the algorithms that compare the trajectories of one question. */
export interface GroupSettings {
  /**
   * What rewards, less the mean of their group, are divided by: the standard deviation of the `group` or of the `batch`, or
   * nothing (`none`). Default `group`; Dr. GRPO `none`.
   */
  advantageScale?: 'group' | 'batch' | 'none'
  /** Leaves groups whose rewards are all equal out of the loss and its means. Default false; DAPO true. */
  dropEvenGroups?: boolean
  /**
   * Most rounds of rollouts of an update: groups whose rewards are all equal are replaced by those of further questions, until
   * the batch is full (DAPO's dynamic sampling). Default 1, which replaces none; DAPO 10, as in verl's recipe.
   */
  samplingRounds?: number
}

const groupSettings = (scale: 'group' | 'none' = 'group', dropEvenGroups = false, samplingRounds = 1) => ({
  advantageScale: z.enum(['group', 'batch', 'none']).default(scale),
  dropEvenGroups: z.boolean().default(dropEvenGroups),
  samplingRounds: z.int().min(1).default(samplingRounds),
})

/** Group-relative policy optimization (arXiv 2402.03300). */
export const grpoSettings = { ...policySettings(), ...groupSettings() }
/** GRPO without the biases of length and difficulty (arXiv 2503.20783). */
export const drGrpoSettings = {
  ...policySettings({ klCoef: 0, lossAggregation: 'constant' }),
  ...groupSettings('none'),
}
/** Decoupled clip, token mean and dynamic sampling (arXiv 2503.14476). Its overlong penalty is the part `length` of a reward. */
export const dapoSettings = { ...policySettings({ klCoef: 0, clipHigh: 0.28 }), ...groupSettings('group', true, 10) }
/** One ratio for a sequence (arXiv 2507.18071). */
export const gspoSettings = {
  ...policySettings({ klCoef: 0, ratio: 'sequence', lossAggregation: 'sequence', clip: 3e-4, clipHigh: 4e-4 }),
  ...groupSettings(),
}
/** REINFORCE against the mean of the group's others (arXiv 2402.14740). */
export const rlooSettings = policySettings({ klIn: 'reward' })

/** Those of GRPO, Dr. GRPO, DAPO and GSPO. */
export const grpoAdvantages: AdvantagesOf<GroupSettings> = ({ groups, lengths }, { advantageScale = 'group' }) => ({
  advantages: onTokens(groupAdvantages(groups, { scale: advantageScale }), lengths),
})

/** GRPO, Dr. GRPO, DAPO and GSPO: one learner, their settings differ. */
export async function createGrpo(policy: Trainable, settings: UpdaterSettings & GroupSettings): Promise<Learner> {
  const learner = await createPolicyGradient(policy, settings, grpoAdvantages)
  if (settings.dropEvenGroups !== true) return learner
  return {
    ...learner,
    step: (groups, learningRate) => {
      const uneven = groups.filter(({ rewards }) => hasVariance(rewards))
      // With nothing left, the learner still says why.
      return learner.step(uneven.length > 0 ? uneven : groups, learningRate)
    },
  }
}

/** Those of RLOO. */
export const rlooAdvantages: AdvantagesOf<unknown> = ({ groups, lengths }) => ({
  advantages: onTokens(leaveOneOutAdvantages(groups), lengths),
})

/** RLOO. */
export const createRloo = (policy: Trainable, settings: UpdaterSettings): Promise<Learner> =>
  createPolicyGradient(policy, settings, rlooAdvantages)
