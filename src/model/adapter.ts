import { z } from 'zod'
import { createRandom, hash } from '../random/seeded-random.js'
import { nearestName, parseOptions } from '../schema/parse-options.js'
import type { NamedTensor } from './stored-tensors.js'
import type { ModelConfig } from './config.js'
import { checkpointName, expectedShapes, valueCount } from './weight-names.js'
import type { Weights } from './weights.js'

/**
 * A new adapter (LoRA, arXiv 2106.09685): beside each weight W that it adapts lie two small matrices A and B, and
 * (alpha / rank) · B A is added to W. They alone are trained.
 */
export interface AdapterOptions {
  /** Rows of A and columns of B. Default 16. */
  rank?: number
  /** How much the adapter counts: alpha / rank times B A is added. Default: twice the rank. */
  alpha?: number
  /**
   * What is adapted in each layer, by the names that PEFT has for it: `q_proj`, `k_proj`, `v_proj`, `o_proj`,
   * `gate_proj`, `up_proj`, `down_proj`; `all-linear` is all of them. Default `all-linear`.
   */
  targets?: 'all-linear' | readonly string[]
  /**
   * Share of the adapter's inputs that are zero in supervised training, drawn anew in each step. Reinforcement learning
   * has none: the policy that learns must be the one that sampled. Default 0.
   */
  dropout?: number
  /** A's values and what dropout draws repeat for a seed; B is zero at first. Default 0. */
  seed?: number
}

/** What an adapter is, without its values. */
export interface AdapterSettings {
  /** Rows of A and columns of B. */
  readonly rank: number
  /** B A is multiplied by alpha / rank, or by alpha / √rank where `rsLora` is true. */
  readonly alpha: number
  /** What is adapted in each layer, by PEFT's names. */
  readonly targets: readonly string[]
  /** Share of the adapter's inputs that are zero in supervised training. */
  readonly dropout: number
  /** Rank-stabilised scaling (arXiv 2312.03732). */
  readonly rsLora: boolean
  /** Of what dropout draws. */
  readonly seed: number
}

/** An adapter in use: the model computes with it, and training changes it alone. */
export interface Adapter extends AdapterSettings {
  /** The matrices on the device: `layers.0.q.loraA` [rank, in], `layers.0.q.loraB` [out, rank] and so on. */
  readonly weights: Weights
}

/** An adapter whose names and shapes have been checked; values are made or read when asked for. */
export interface AdapterSource {
  settings: AdapterSettings
  shapes: Readonly<Record<string, readonly number[]>>
  /** Number of values of all matrices. */
  parameters: number
  /** Every matrix, one at a time. May be called again. */
  tensors: () => AsyncIterable<NamedTensor>
}

/** What B A is multiplied by. */
export const adapterScale = ({ alpha, rank, rsLora }: AdapterSettings): number =>
  alpha / (rsLora ? Math.sqrt(rank) : rank)

/** The module of each linear weight of the layers, by the weight's key without `.weight`: `model.layers.0.self_attn.q_proj`. */
export function linearModules(config: ModelConfig): Record<string, string> {
  const keys = Object.keys(expectedShapes(config)).filter((key) => /^layers\.\d+\.\w+\.weight$/.test(key))
  return Object.fromEntries(
    keys.map((key) => [withoutWeight(key), withoutWeight(checkpointName(config.family, key))] as const),
  )
}

const withoutWeight = (name: string): string => name.replace(/\.weight$/, '')

/** The name by which a module is a target: `q_proj`. */
export const targetOf = (module: string): string => module.slice(module.lastIndexOf('.') + 1)

/** Names of all that can be adapted. */
export const linearTargets = (config: ModelConfig): string[] => [
  ...new Set(Object.values(linearModules(config)).map(targetOf)),
]

/** Shapes of an adapter's matrices by key, first layer to last. */
export function adapterShapes(
  config: ModelConfig,
  { rank, targets }: Pick<AdapterSettings, 'rank' | 'targets'>,
): Record<string, number[]> {
  const base = expectedShapes(config)
  const shapes: Record<string, number[]> = {}
  for (const [key, module] of Object.entries(linearModules(config))) {
    if (!targets.includes(targetOf(module))) continue
    const [rows, columns] = base[`${key}.weight`] as [number, number]
    shapes[`${key}.loraA`] = [rank, columns]
    shapes[`${key}.loraB`] = [rows, rank]
  }
  return shapes
}

const schema = z.strictObject({
  rank: z.int().min(1).default(16),
  alpha: z.number().positive().exactOptional(),
  targets: z
    .union([z.literal('all-linear'), z.array(z.string()).min(1)], "must be 'all-linear' or a list of names")
    .default('all-linear'),
  dropout: z.number().min(0).lt(1).default(0),
  seed: z.int().default(0),
})

/**
 * A new adapter for a model: with its first values it changes nothing.
 * @throws {Error} on an option that has no sense for this model
 */
export function newAdapter(config: ModelConfig, options: AdapterOptions): AdapterSource {
  const { rank, targets, dropout, seed, ...given } = parseOptions('load model: adapter', schema, options)
  if (rank > config.hiddenSize) {
    throw new Error(
      `load model: adapter: rank must be at most ${config.hiddenSize}, the hidden size of the model, got ${rank}`,
    )
  }
  const known = linearTargets(config)
  const settings: AdapterSettings = {
    rank,
    alpha: given.alpha ?? 2 * rank,
    targets: targets === 'all-linear' ? known : checkTargets('load model: adapter', known, targets),
    dropout,
    rsLora: false,
    seed,
  }
  const shapes = adapterShapes(config, settings)
  return { settings, shapes, parameters: valueCount(shapes), tensors: () => firstValues(shapes, seed) }
}

/** Targets in the model's order, each once. */
export function checkTargets(operation: string, known: readonly string[], targets: readonly string[]): string[] {
  const wrong = targets.find((target) => !known.includes(target))
  if (wrong === undefined) return known.filter((target) => targets.includes(target))
  const near = nearestName(wrong, known)
  throw new Error(
    `${operation}: targets: the model's layers have no '${wrong}'${near === undefined ? '' : `; did you mean ${near}?`} ` +
      `They have ${known.join(', ')}`,
  )
}

/** PEFT's first values: those of A uniform within ± 1 / √in (Kaiming with a = √5), B zero. */
async function* firstValues(
  shapes: Readonly<Record<string, readonly number[]>>,
  seed: number,
): AsyncGenerator<NamedTensor> {
  for (const [i, [key, shape]] of Object.entries(shapes).entries()) {
    const [rows, columns] = shape as [number, number]
    const data = new Float32Array(rows * columns)
    if (key.endsWith('.loraA')) {
      const random = createRandom(hash(seed, i))
      const bound = 1 / Math.sqrt(columns)
      for (let n = 0; n < data.length; n++) data[n] = (2 * random() - 1) * bound
    }
    yield await Promise.resolve({ key, shape, data })
  }
}
