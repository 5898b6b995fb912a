import { z } from 'zod'
import {
  reinforceAdvantages,
  reinforcePlusPlusAdvantages,
  reinforcePlusPlusBaselineAdvantages,
} from '../algorithm/reinforce.js'
import type { Learner } from './learner.js'
import type { Trainable } from './loss-function.js'
import { createPolicyGradient } from './policy-gradient.js'
import type { AdvantagesOf } from './policy-gradient.js'
import { policySettings } from './policy-settings.js'
import type { UpdaterSettings } from './policy-updater.js'

/** Settings of algorithms that look at each token's return. */
export interface ReturnSettings {
  /** Discount from one policy token to the next. Default 1. */
  gamma?: number
}

const gamma = z.number().min(0).max(1).default(1)

/** Plain REINFORCE, as ZeroSearch's code has it: no baseline, no normalisation, k3 in the loss. */
export const reinforceSettings = policySettings()
/** REINFORCE++ (arXiv 2501.03262). */
export const reinforcePlusPlusSettings = { ...policySettings({ klIn: 'reward' }), gamma }
/** REINFORCE++-baseline (arXiv 2501.03262). */
export const reinforcePlusPlusBaselineSettings = policySettings({ klEstimator: 'k2' })

/** Those of plain REINFORCE. */
export const plainAdvantages: AdvantagesOf<unknown> = ({ tokens }) => ({ advantages: reinforceAdvantages(tokens) })

/** Those of REINFORCE++. */
export const plusPlusAdvantages: AdvantagesOf<ReturnSettings> = ({ tokens }, { gamma = 1 }) => ({
  advantages: reinforcePlusPlusAdvantages(tokens, { gamma }),
})

/** Those of REINFORCE++-baseline. */
export const plusPlusBaselineAdvantages: AdvantagesOf<unknown> = ({ groups, lengths }) => ({
  advantages: reinforcePlusPlusBaselineAdvantages(groups, lengths),
})

/** Plain REINFORCE. */
export const createReinforce = (policy: Trainable, settings: UpdaterSettings): Promise<Learner> =>
  createPolicyGradient(policy, settings, plainAdvantages)

/** REINFORCE++. */
export const createReinforcePlusPlus = (
  policy: Trainable,
  settings: UpdaterSettings & ReturnSettings,
): Promise<Learner> => createPolicyGradient(policy, settings, plusPlusAdvantages)

/** REINFORCE++-baseline. */
export const createReinforcePlusPlusBaseline = (policy: Trainable, settings: UpdaterSettings): Promise<Learner> =>
  createPolicyGradient(policy, settings, plusPlusBaselineAdvantages)
