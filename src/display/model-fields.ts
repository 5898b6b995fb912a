import { bytes, count, roughly } from './number-text.js'
import { isRecord } from './shape.js'

/** What is read of a model that can be talked to; one with weights in this process tells more. */
export interface Model {
  name: string
  contextLength?: unknown
  config?: Record<string, unknown>
  weights?: unknown
  /** Addresses of the servers that it is behind. */
  baseUrls?: unknown
  /** What it has been asked so far. */
  usage?: unknown
}

const BYTES: Record<string, number> = { float64: 8, float32: 4, int32: 4, float16: 2, bfloat16: 2, int8: 1, uint8: 1 }

/** A model in a few lines: what it is, how large, how much it can read at once. */
export function modelFields({ name, contextLength, config, weights, baseUrls, usage }: Model): Record<string, unknown> {
  const tensors = tensorsOf(weights)
  const sizes = tensors.map(({ shape }) => shape.reduce((product, dim) => product * dim, 1))
  const parameters = sizes.reduce((sum, size) => sum + size, 0)
  const memory = tensors.reduce((sum, { dtype }, i) => sum + sizes[i]! * (BYTES[dtype] ?? 4), 0)
  return {
    name,
    family: config?.['family'],
    ...(tensors.length > 0 && {
      parameters: `${count(parameters)} (${roughly(parameters)})`,
      dtype: [...new Set(tensors.map(({ dtype }) => dtype))].join(', '),
      memory: `${bytes(memory)} of weights`,
    }),
    layers: config?.['layers'],
    'hidden size': config?.['hiddenSize'],
    vocabulary: config?.['vocabSize'] === undefined ? undefined : count(config['vocabSize']),
    context: contextLength === undefined ? undefined : `${count(contextLength)} ids`,
    servers: Array.isArray(baseUrls) ? baseUrls.join(', ') : undefined,
    ...usageFields(usage),
  }
}

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

interface Tensor {
  shape: readonly number[]
  dtype: string
}

/** Whatever holds them: by name, in lists, in groups. */
function tensorsOf(weights: unknown, depth = 0): Tensor[] {
  if (!isRecord(weights) || depth > 3) return []
  if (Array.isArray(weights['shape']) && typeof weights['dtype'] === 'string') return [weights as unknown as Tensor]
  return Object.values(weights).flatMap((value) => tensorsOf(value, depth + 1))
}
