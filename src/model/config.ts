import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

export type ModelFamily = 'qwen2' | 'qwen3' | 'llama'

/** Llama 3's stretching of the rotary embedding. */
export interface RopeScaling {
  factor: number
  lowFreqFactor: number
  highFreqFactor: number
  originalMaxPositions: number
}

/** The architecture of a decoder, as its config.json tells. */
export interface ModelConfig {
  family: ModelFamily
  /** Rows of the embedding; a tokenizer may use fewer. */
  vocabSize: number
  hiddenSize: number
  layers: number
  heads: number
  /** Heads of keys and values, each shared by `heads / kvHeads` query heads. */
  kvHeads: number
  headDim: number
  intermediateSize: number
  ropeTheta: number
  ropeScaling?: RopeScaling
  rmsNormEps: number
  /** The output projection is the embedding. */
  tieWordEmbeddings: boolean
  attentionBias: { qkv: boolean; o: boolean }
  /** Queries and keys are normalised per head (Qwen3). */
  qkNorm: boolean
  /** Longest sequence the model was made for. */
  maxPositions: number
}

const size = z.number().int().positive()

const rope = z.looseObject({
  rope_type: z.string().nullish(),
  type: z.string().nullish(),
  rope_theta: z.number().positive().nullish(),
  factor: z.number().nullish(),
  low_freq_factor: z.number().nullish(),
  high_freq_factor: z.number().nullish(),
  original_max_position_embeddings: z.number().nullish(),
  partial_rotary_factor: z.number().nullish(),
})

const configFile = z.looseObject({
  model_type: z.string(),
  vocab_size: size,
  hidden_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  intermediate_size: size,
  max_position_embeddings: size,
  rms_norm_eps: z.number().positive().default(1e-6),
  hidden_act: z.string().default('silu'),
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  use_sliding_window: z.boolean().default(false),
  sliding_window: z.number().nullish(),
  max_window_layers: z.number().int().nullish(),
  layer_types: z.array(z.string()).nullish(),
  partial_rotary_factor: z.number().nullish(),
  quantization_config: z.unknown().optional(),
  rope_theta: z.number().positive().nullish(),
  rope_scaling: rope.nullish(),
  rope_parameters: rope.nullish(),
})

type ConfigFile = z.infer<typeof configFile>

const FAMILIES: readonly string[] = ['qwen2', 'qwen3', 'llama'] satisfies ModelFamily[]

/**
 * Reads config.json of a checkpoint folder.
 * @throws where the file is absent or broken, or the architecture is none of Qwen2, Qwen2.5, Qwen3 and Llama 3
 */
export async function readModelConfig(folder: string): Promise<ModelConfig> {
  const path = join(folder, 'config.json')
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw new Error(`model config: cannot read ${path}; a checkpoint folder needs config.json`, { cause: error })
  }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new Error(`model config: ${path} is not JSON (${(error as Error).message})`, { cause: error })
  }
  return parseModelConfig(json, path)
}

/**
 * A config.json of transformers, 4 (`rope_theta`, `rope_scaling`) or 5 (`rope_parameters`).
 * @param where Shown in errors.
 */
export function parseModelConfig(json: unknown, where = 'config.json'): ModelConfig {
  const parsed = configFile.safeParse(json)
  if (!parsed.success) throw new Error(`model config: ${where}: ${z.prettifyError(parsed.error)}`)
  const file = parsed.data
  const refused = unsupported(file)
  if (refused) throw new Error(`model config: ${where}: ${refused}`)
  const family = file.model_type as ModelFamily
  const heads = file.num_attention_heads
  // Llama without this field has one key head per query head, as have Qwen2 and Qwen3 in practice.
  const kvHeads = file.num_key_value_heads ?? heads
  const headDim = file.head_dim ?? (family === 'qwen3' ? 128 : file.hidden_size / heads)
  if (heads % kvHeads !== 0) throw new Error(`model config: ${where}: ${heads} heads cannot share ${kvHeads} key heads`)
  if (headDim % 2 !== 0) throw new Error(`model config: ${where}: head_dim must be an even integer, got ${headDim}`)
  const scaling = ropeScaling(file, where)
  return {
    family,
    vocabSize: file.vocab_size,
    hiddenSize: file.hidden_size,
    layers: file.num_hidden_layers,
    heads,
    kvHeads,
    headDim,
    intermediateSize: file.intermediate_size,
    ropeTheta: file.rope_parameters?.rope_theta ?? file.rope_theta ?? 10000,
    ...(scaling ? { ropeScaling: scaling } : {}),
    rmsNormEps: file.rms_norm_eps,
    tieWordEmbeddings: file.tie_word_embeddings,
    attentionBias: family === 'qwen2' ? { qkv: true, o: false } : { qkv: file.attention_bias, o: file.attention_bias },
    qkNorm: family === 'qwen3',
    maxPositions: file.max_position_embeddings,
  }
}

function unsupported(file: ConfigFile): string | undefined {
  if (!FAMILIES.includes(file.model_type)) {
    return `architecture '${file.model_type}' is not supported; supported are ${FAMILIES.join(', ')}`
  }
  if (file.quantization_config)
    return 'quantised checkpoints are not supported; take the float16, bfloat16 or float32 one'
  if (slides(file)) return 'sliding-window attention is in use, which is not supported'
  if (file.hidden_act !== 'silu') return `hidden_act '${file.hidden_act}' is not supported; only 'silu' is`
  if (file.mlp_bias) return 'mlp_bias is not supported'
  const partial = file.partial_rotary_factor ?? file.rope_parameters?.partial_rotary_factor ?? 1
  if (partial !== 1) return `partial_rotary_factor ${partial} is not supported; only 1 is`
  return undefined
}

/** Qwen configs name a window that is not in use: only layers from `max_window_layers` on have it, and only if switched on. */
function slides(file: ConfigFile): boolean {
  if (file.layer_types) return file.layer_types.some((type) => type !== 'full_attention')
  return (
    file.use_sliding_window && file.sliding_window != null && (file.max_window_layers ?? 0) < file.num_hidden_layers
  )
}

function ropeScaling(file: ConfigFile, where: string): RopeScaling | undefined {
  const source = file.rope_parameters ?? file.rope_scaling
  const type = source?.rope_type ?? source?.type ?? 'default'
  if (!source || type === 'default') return undefined
  if (type !== 'llama3') {
    throw new Error(
      `model config: ${where}: rope type '${type}' is not supported; supported are 'default' and 'llama3'`,
    )
  }
  const number = (
    name: 'factor' | 'low_freq_factor' | 'high_freq_factor' | 'original_max_position_embeddings',
  ): number => {
    const value = source[name]
    if (value == null) throw new Error(`model config: ${where}: rope type 'llama3' needs ${name}`)
    return value
  }
  return {
    factor: number('factor'),
    lowFreqFactor: number('low_freq_factor'),
    highFreqFactor: number('high_freq_factor'),
    originalMaxPositions: number('original_max_position_embeddings'),
  }
}
