import { z } from 'zod'

/** Model families whose forward pass is known. */
export type Family = 'qwen2' | 'qwen3' | 'llama'

/** What the forward pass needs to know of a model. */
export interface ModelConfig {
  family: Family
  vocabSize: number
  hiddenSize: number
  layers: number
  heads: number
  /** Heads of keys and values (grouped-query attention); divides `heads`. */
  kvHeads: number
  headDim: number
  intermediateSize: number
  ropeTheta: number
  /** Llama 3's stretching of long wavelengths. */
  ropeScaling?: { factor: number; lowFreqFactor: number; highFreqFactor: number; originalMaxPositions: number }
  rmsNormEps: number
  tieWordEmbeddings: boolean
  /** Biases on the projections to queries, keys and values, and on the one back. */
  attentionBias: { qkv: boolean; o: boolean }
  /** Norms on queries and keys (Qwen3). */
  qkNorm: boolean
  maxPositions: number
}

const positive = z.number().int().positive()
const rope = z
  .object({
    rope_type: z.string().optional(),
    type: z.string().optional(),
    rope_theta: z.number().positive().optional(),
    factor: z.number().optional(),
    low_freq_factor: z.number().optional(),
    high_freq_factor: z.number().optional(),
    original_max_position_embeddings: z.number().optional(),
  })
  .nullish()

const schema = z.object({
  model_type: z.string(),
  vocab_size: positive,
  hidden_size: positive,
  num_hidden_layers: positive,
  num_attention_heads: positive,
  num_key_value_heads: positive.optional(),
  head_dim: positive.nullish(),
  intermediate_size: positive,
  rms_norm_eps: z.number().positive(),
  rope_theta: z.number().positive().optional(),
  rope_scaling: rope,
  rope_parameters: rope,
  tie_word_embeddings: z.boolean().optional(),
  attention_bias: z.boolean().optional(),
  mlp_bias: z.boolean().optional(),
  hidden_act: z.string().optional(),
  use_sliding_window: z.boolean().optional(),
  quantization_config: z.unknown().optional(),
  max_position_embeddings: positive,
})

/**
 * Reads config.json as transformers writes it (version 5's `rope_parameters` as well as the older fields).
 * Throws on an architecture or a feature that the forward pass does not have.
 * @param source Shown in errors.
 */
export function parseModelConfig(json: unknown, source: string): ModelConfig {
  const result = schema.safeParse(json)
  if (!result.success) {
    const issue = result.error.issues[0]!
    throw new Error(`model config ${source}: ${issue.path.join('.')}: ${issue.message}; is this a causal language model's config.json?`)
  }
  const raw = result.data
  const unsupported = (what: string): never => {
    throw new Error(`model config ${source}: ${what} is not supported; supported are Qwen2, Qwen2.5, Qwen3 and Llama 3.x`)
  }
  if (!isFamily(raw.model_type)) return unsupported(`architecture ${raw.model_type}`)
  const family = raw.model_type
  if (raw.hidden_act !== undefined && raw.hidden_act !== 'silu') unsupported(`activation ${raw.hidden_act}`)
  if (raw.use_sliding_window) unsupported('sliding-window attention')
  if (raw.quantization_config) unsupported('a quantised checkpoint')
  if (raw.mlp_bias) unsupported('a bias in the feed-forward layers')
  const kvHeads = raw.num_key_value_heads ?? raw.num_attention_heads
  if (raw.num_attention_heads % kvHeads !== 0) {
    unsupported(`${raw.num_attention_heads} heads over ${kvHeads} key-value heads`)
  }
  const parameters = raw.rope_parameters ?? raw.rope_scaling ?? undefined
  const type = parameters?.rope_type ?? parameters?.type ?? 'default'
  if (type !== 'default' && type !== 'llama3') unsupported(`rope scaling ${type}`)
  const bias = raw.attention_bias ?? false
  return {
    family,
    vocabSize: raw.vocab_size,
    hiddenSize: raw.hidden_size,
    layers: raw.num_hidden_layers,
    heads: raw.num_attention_heads,
    kvHeads,
    headDim: raw.head_dim ?? raw.hidden_size / raw.num_attention_heads,
    intermediateSize: raw.intermediate_size,
    ropeTheta: parameters?.rope_theta ?? raw.rope_theta ?? 10_000,
    ...(type === 'llama3' && {
      ropeScaling: {
        factor: parameters?.factor ?? 8,
        lowFreqFactor: parameters?.low_freq_factor ?? 1,
        highFreqFactor: parameters?.high_freq_factor ?? 4,
        originalMaxPositions: parameters?.original_max_position_embeddings ?? 8192,
      },
    }),
    rmsNormEps: raw.rms_norm_eps,
    tieWordEmbeddings: raw.tie_word_embeddings ?? false,
    attentionBias: family === 'qwen2' ? { qkv: true, o: false } : { qkv: bias, o: bias },
    qkNorm: family === 'qwen3',
    maxPositions: raw.max_position_embeddings,
  }
}

function isFamily(type: string): type is Family {
  return type === 'qwen2' || type === 'qwen3' || type === 'llama'
}
