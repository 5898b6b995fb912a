// The experiments on the mini world, as data: what each arm changes in the training that all share.
import type { AdapterOptions } from '../../../src/model/adapter.js'
import type { RewardWeights } from '../../../src/reward/reward.js'
import { miniProtocol } from '../../../src/mini/protocol.js'
import { policyPrompt } from '../../../src/mini/prompts.js'
import type { Protocol } from '../../../src/rollout/protocol.js'
import type { TrainOptions } from '../../../src/train/train-options.js'

/** Settings of a training run that an arm may have for its own. */
type Settings = Omit<TrainOptions, 'policy' | 'searchEngine' | 'questions' | 'protocol' | 'onUpdate' | 'reward'>

/** One way to train. */
export interface Arm {
  settings: Settings
  protocol: Protocol
  reward: RewardWeights
  adapter?: AdapterOptions
}

/** GRPO as in the quickstart, with fewer updates and questions; the other arms say what they change. */
const shared = {
  curriculum: { start: 0, end: 0.3 },
  updates: 10,
  questionsPerUpdate: 12,
  groupSize: 6,
  learningRate: 4e-4,
  learningRateSchedule: 'linear',
  klCoef: 0.005,
} as const

const grpo: Arm = { settings: { ...shared, algorithm: 'grpo' }, protocol: miniProtocol, reward: { f1: 1 } }
const ppo: Arm = {
  ...grpo,
  settings: { ...shared, algorithm: 'ppo', critic: { learningRate: 1e-3, warmupUpdates: 1 } },
}
const reinforcePlusPlus: Arm = { ...grpo, settings: { ...shared, algorithm: 'reinforce++' } }

/** A tiny model wants a larger step where only a small adapter is trained. */
const lora = (arm: Arm): Arm => ({
  ...arm,
  adapter: { rank: 16 },
  settings: { ...arm.settings, learningRate: 2e-3 },
})

/**
 * An instruction and the words of a chat around the question. The mini world has no instruct model: its policy was taught
 * with the bare question alone, so that this arm shows learning from a prompt that the policy has never seen.
 */
const instructProtocol: Protocol = {
  ...miniProtocol,
  name: 'mini-instruct',
  prompt: (tokenizer, question) =>
    tokenizer.encode(`User: Search until you know, then answer. ${policyPrompt(question)} Assistant:`),
}

/** Every arm by its name. */
export const ARMS: Readonly<Record<string, Arm>> = {
  grpo,
  ppo,
  'reinforce++': reinforcePlusPlus,
  'em-reward': { ...grpo, reward: { em: 1 } },
  'cover-em-reward': { ...grpo, reward: { coverEm: 1 } },
  'no-mask': { ...grpo, settings: { ...grpo.settings, maskObservations: false } },
  'constant-noise': { ...grpo, settings: { ...grpo.settings, curriculum: 0.15 } },
  'reversed-curriculum': { ...grpo, settings: { ...grpo.settings, curriculum: { start: 0.3, end: 0 } } },
  'instruct-prompt': { ...grpo, protocol: instructProtocol },
  'grpo-lora': lora(grpo),
  'ppo-lora': lora(ppo),
  'reinforce++-lora': lora(reinforcePlusPlus),
}
