import type { z } from 'zod'
import type { AdapterSettings } from '../model/adapter.js'
import type { Reward, RewardWeights } from '../reward/reward.js'
import type { Protocol } from '../rollout/protocol.js'
import { digest, questionFields } from '../schema/digest.js'
import { firstChange } from '../schema/first-change.js'
import type { Change } from '../schema/first-change.js'
import type { Question } from '../schema/question.js'
import type { Tokenizer } from '../tokenizer/tokenizer.js'
import { noiseThreshold } from '../simulator/curriculum.js'
import { learningRateAt } from './learning-rate.js'
import { RUN_CONFIG_KEYS, runConfigShape } from './run-config.js'
import type { RunConfig } from './run-config.js'

/** All that the course of a run depends on, as plain data: its settings, and what identifies its inputs. */
export interface RunManifest extends RunConfig, InputIdentities {}

interface InputIdentities {
  /** Most ids of the policy's conversations. */
  contextLength: number
  /** What the policy's adapter is; none where all weights are trained. */
  adapter?: Record<string, unknown>
  /** The search engine's name. */
  engine: string
  /** Number and content of the questions, in their order. */
  questions: string
  /** Name, limits and texts of the protocol; prompt and observation as they come out for a fixed question. */
  protocol: Record<string, unknown>
  /** Weights of the reward's parts, or name and source of its function; `F1` for the answer's F1 alone. */
  reward: string
}

const INPUTS = { contextLength: 1, adapter: 1, engine: 1, questions: 1, protocol: 1, reward: 1 } satisfies Record<
  keyof InputIdentities,
  1
>

/** Names that a refused resumption can name. */
export const MANIFEST_KEYS = [...RUN_CONFIG_KEYS, ...Object.keys(INPUTS)] as (keyof RunManifest)[]

interface Inputs {
  policy: { tokenizer: Tokenizer; contextLength: number; adapter?: AdapterSettings }
  searchEngine: { name: string }
  questions: readonly Question[]
  protocol: Protocol
  reward: Reward | RewardWeights
}

export function runManifest(config: RunConfig, inputs: Inputs): RunManifest {
  const { policy, searchEngine, questions, protocol, reward } = inputs
  return {
    ...config,
    maxSearches: config.maxSearches ?? protocol.maxSearches,
    contextLength: policy.contextLength,
    ...(policy.adapter && { adapter: adapterIdentity(policy.adapter) }),
    engine: searchEngine.name,
    questions: `${questions.length}, content ${digest(questions.map(questionFields))}`,
    protocol: protocolIdentity(protocol, policy.tokenizer),
    reward: rewardIdentity(reward),
  }
}

/** Dropout and seed make no difference to a run: only supervised training drops inputs. */
export const adapterIdentity = ({ rank, alpha, targets, rsLora }: AdapterSettings): Record<string, unknown> => ({
  rank,
  alpha,
  targets,
  rsLora,
})

function rewardIdentity(reward: Reward | RewardWeights): string {
  if (typeof reward === 'function') return `${reward.name || 'function'}, source ${digest(String(reward))}`
  const weights = JSON.stringify(reward)
  return weights === '{"f1":1}' ? 'F1' : weights
}

function protocolIdentity(protocol: Protocol, tokenizer: Tokenizer): Record<string, unknown> {
  const data = Object.entries(protocol).filter(([, value]) => typeof value !== 'function')
  return {
    ...Object.fromEntries(data),
    prompt: digest(protocol.prompt(tokenizer, 'What is the capital of Peru?')),
    observation: digest(protocol.observation([{ title: 'Peru', text: 'Its capital is Lima.', rank: 1 }])),
  }
}

/**
 * Checks that a run may go on under a manifest: it is the saved one, but for what is allowed to differ, and for a number
 * of updates under which those already made would have been the same.
 * @param made Number of updates already made.
 * @throws {Error} naming the first difference, with both values
 */
export function checkResumable(
  folder: string,
  saved: Readonly<Record<string, unknown>>,
  now: RunManifest,
  allowed: readonly (keyof RunManifest)[],
  made: number,
): void {
  for (const key of MANIFEST_KEYS) {
    if (allowed.includes(key)) continue
    // A run that was saved before a setting existed had its default.
    const change = firstChange(key, saved[key] ?? defaultOf(key, now.algorithm), now[key])
    if (!change) continue
    const reason = key === 'updates' ? dependsOnUpdates(now, Number(saved[key]), made) : ''
    if (reason === undefined) continue
    throw changed('train', folder, key, change, reason)
  }
}

/** Why a run is not gone on with: a setting differs from the saved one. */
export const changed = (
  operation: string,
  folder: string,
  key: string,
  { path, was, is }: Change,
  reason = '',
): Error =>
  new Error(
    `${operation}: a resumed run keeps its settings: ${path} is ${was} in ${folder}, got ${is}${reason}; ` +
      `give the same, allow it with allowChanges: ['${key}'], or \`overwrite: true\` instead of \`resume\` begins anew`,
  )

function defaultOf(key: string, algorithm: string): unknown {
  const result = (runConfigShape(algorithm) as Record<string, z.ZodType>)[key]?.safeParse(undefined)
  return result?.success ? result.data : undefined
}

/** Why another number of updates makes another run of those already made; undefined where it doesn't. */
function dependsOnUpdates(config: RunConfig, before: number, made: number): string | undefined {
  const { updates } = config
  if (updates < made) return `, which is less than the ${made} updates already made`
  for (let update = 0; update < made; update++) {
    const schedules = {
      'learning rate': (count: number) => learningRateAt({ ...config, updates: count }, update),
      'noise threshold': (count: number) => noiseThreshold(config.curriculum, update, count),
    }
    for (const [name, valueFor] of Object.entries(schedules)) {
      if (valueFor(before) === valueFor(updates)) continue
      return `, and the ${name} depends on it: that of update ${update + 1} was ${valueFor(before)} and would be ${valueFor(updates)}`
    }
  }
  return undefined
}
