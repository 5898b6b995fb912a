import { bytes, count, roughly } from './number-text.js'
import { isRecord } from './shape.js'

/** What is read of a model that can be talked to; one with weights in this process tells more. */
export interface Model {
  name: string
  contextLength?: unknown
  config?: Record<string, unknown>
  weights?: unknown
  adapter?: unknown
  /** Addresses of the servers that it is behind. */
  baseUrls?: unknown
  /** What it has been asked so far. */
  usage?: unknown
  /** How often a cache had the text, and the model behind it. */
  cache?: unknown
  model?: unknown
}

const BYTES: Record<string, number> = { float64: 8, float32: 4, int32: 4, float16: 2, bfloat16: 2, int8: 1, uint8: 1 }

/** A model in a few lines: what it is, how large, how much it can read at once. */
export function modelFields(shown: Model): Record<string, unknown> {
  const { name, contextLength, config, weights, adapter, baseUrls, usage, cache, model } = shown
  if (isRecord(cache) && isRecord(model)) return { ...modelFields(model as unknown as Model), cache: cacheText(cache) }
  const tensors = tensorsOf(weights)
  const parameters = tensors.reduce((sum, tensor) => sum + sizeOf(tensor), 0)
  const memory = tensors.reduce((sum, tensor) => sum + sizeOf(tensor) * (BYTES[tensor.dtype] ?? 4), 0)
  return {
    name,
    family: config?.['family'],
    ...(tensors.length > 0 && {
      parameters: `${count(parameters)} (${roughly(parameters)})`,
      dtype: [...new Set(tensors.map(({ dtype }) => dtype))].join(', '),
      memory: `${bytes(memory)} of weights`,
    }),
    ...(isRecord(adapter) && adapterFields(adapter, parameters)),
    layers: config?.['layers'],
    'hidden size': config?.['hiddenSize'],
    vocabulary: config?.['vocabSize'] === undefined ? undefined : count(config['vocabSize']),
    context: contextLength === undefined ? undefined : `${count(contextLength)} ids`,
    servers: Array.isArray(baseUrls) ? baseUrls.join(', ') : undefined,
    ...usageFields(usage),
  }
}

function cacheText({ hits, misses, damaged }: Record<string, unknown>): string | undefined {
  if (typeof hits !== 'number' || typeof misses !== 'number') return undefined
  const asked = hits + misses
  const rate = asked === 0 ? 'nothing asked yet' : `${count(hits)} of ${count(asked)} texts (${percent(hits / asked)})`
  return damaged ? `${rate}, ${count(damaged)} damaged` : rate
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

function usageFields(usage: unknown): Record<string, unknown> {
  if (!isRecord(usage)) return {}
  const { completions, failures, promptTokens, completionTokens, cost } = usage
  return {
    completions: completions === undefined ? undefined : count(completions),
    'failed requests': failures === undefined ? undefined : count(failures),
    tokens: promptTokens === undefined ? undefined : `${count(promptTokens)} read, ${count(completionTokens)} written`,
    cost,
  }
}

/** What is trained in place of the model's weights. */
function adapterFields(adapter: Record<string, unknown>, below: number): Record<string, unknown> {
  const { rank, alpha, dropout, targets, weights } = adapter
  const trained = tensorsOf(weights).reduce((sum, tensor) => sum + sizeOf(tensor), 0)
  const share = ((100 * trained) / (below + trained)).toPrecision(3)
  const settings = [`rank ${count(rank)}`, `alpha ${count(alpha)}`, ...(dropout ? [`dropout ${count(dropout)}`] : [])]
  const places = Array.isArray(targets) ? `, on ${targets.join(', ')}` : ''
  return {
    adapter: `${settings.join(', ')}${places}`,
    trained: `${count(trained)} (${roughly(trained)}), ${share} % of all parameters`,
  }
}

interface Tensor {
  shape: readonly number[]
  dtype: string
}

const sizeOf = ({ shape }: Tensor): number => shape.reduce((product, dim) => product * dim, 1)

/** Whatever holds them: by name, in lists, in groups. */
function tensorsOf(weights: unknown, depth = 0): Tensor[] {
  if (!isRecord(weights) || depth > 3) return []
  if (Array.isArray(weights['shape']) && typeof weights['dtype'] === 'string') return [weights as unknown as Tensor]
  return Object.values(weights).flatMap((value) => tensorsOf(value, depth + 1))
}
