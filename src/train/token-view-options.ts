import { z } from 'zod'
import type { LocalModel } from '../language-model/local-model.js'
import { rewardWeightsSchema } from '../reward/reward.js'
import type { Reward, RewardWeights } from '../reward/reward.js'
import { aFunction, anObject, parseOptions } from '../schema/parse-options.js'
import { trajectorySchema } from '../schema/record-schemas.js'
import type { Trajectory } from '../schema/trajectory.js'
import { RUN_CONFIG_KEYS, runConfigShape } from './run-config.js'
import type { RunConfig } from './run-config.js'
import { savedManifest } from './run-folder.js'

/** Options of `tokenView`: what there is to compare the policy with, and the settings of an algorithm, as `train` has them. */
export interface TokenViewOptions extends Partial<Omit<RunConfig, 'reference'>> {
  /** The policy as it now is; its tokenizer is that of the trajectory. */
  policy: LocalModel
  /**
   * What the divergence is measured from. Default: the run's reference, where `run` is given; the model below the policy's
   * adapter, where it has one; else there is none.
   */
  reference?: LocalModel
  /**
   * Trajectories that the advantages come from, this one among them, question by question: those of an update, as `onUpdate`
   * is given them, or several of one question. Those of one question that follow each other are a group, or `groupSize` of
   * them. Default: no advantages.
   */
  batch?: readonly Trajectory[]
  /** As that of `train`. Default: the run's, or `{ f1: 1 }`. */
  reward?: Reward | RewardWeights
  /** Folder of a saved run: its settings are the defaults here, and its reference and its critic are read. */
  run?: string
  /** Shows that it is under way. Default true. */
  progress?: boolean
}

/** Options with their defaults. */
export type CheckedViewOptions = Omit<RunConfig, 'reference' | 'groupSize' | 'updates' | 'curriculum'> &
  Pick<TokenViewOptions, 'policy' | 'reference' | 'batch' | 'run' | 'groupSize'> &
  Required<Pick<TokenViewOptions, 'reward' | 'progress'>>

const aTrajectory = z.custom<Trajectory>(
  (value) => trajectorySchema.safeParse(value).success,
  'must be a trajectory of rollOut',
)

function schema(algorithm: unknown, reward: unknown): z.ZodType<CheckedViewOptions, unknown> {
  const shape = runConfigShape(algorithm)
  const aReward: z.ZodType<Reward | RewardWeights> =
    typeof reward === 'function' ? aFunction<Reward>() : rewardWeightsSchema
  return z.strictObject({
    ...shape,
    updates: z.int().min(1).exactOptional(),
    curriculum: z.unknown().exactOptional(),
    groupSize: z.int().min(1).exactOptional(),
    microbatchTokens: z.int().min(1).default(4096),
    policy: anObject<LocalModel>('a model of loadModel', ['start', 'save']),
    reference: anObject<LocalModel>('a model of loadModel', ['start', 'save']).exactOptional(),
    batch: z.array(aTrajectory).min(1).exactOptional(),
    reward: aReward.default({ f1: 1 }),
    run: z.string().min(1).exactOptional(),
    progress: z.boolean().default(true),
  }) as unknown as z.ZodType<CheckedViewOptions, unknown>
}

/** @throws {Error} on the first option that has no sense, and where `run` is not the folder of a run */
export async function parseViewOptions(trajectory: unknown, options: TokenViewOptions): Promise<CheckedViewOptions> {
  parseOptions('tokenView', z.object({ trajectory: aTrajectory }), { trajectory })
  const saved = typeof options?.run === 'string' ? await savedOptions(options) : {}
  const whole = { algorithm: 'grpo', ...saved, ...options }
  return parseOptions('tokenView', schema(whole.algorithm, whole.reward), whole)
}

/** The settings of a saved run, as far as they are the view's. */
async function savedOptions({ run, batch, reward }: TokenViewOptions): Promise<Record<string, unknown>> {
  const manifest = await savedManifest(run!).catch((cause: unknown) => {
    throw new Error(`tokenView: run must be the folder of a run that was saved, got ${run}`, { cause })
  })
  // How the reference is kept in memory is no setting of a view.
  const keys = RUN_CONFIG_KEYS.filter((key) => key !== 'reference' && key !== 'groupSize' && key in manifest)
  const settings = Object.fromEntries(keys.map((key) => [key, manifest[key]]))
  const weights = manifest['reward']
  if (weights === 'F1' || reward !== undefined || batch === undefined) return settings
  if (typeof weights === 'string' && weights.startsWith('{'))
    return { ...settings, reward: JSON.parse(weights) as RewardWeights }
  throw new Error(
    `tokenView: reward must be given, for that of the run in ${run} is a function, which no file holds (${String(weights)})`,
  )
}
