import { z } from 'zod'
import type { Activation, Architecture, WeightNames } from './family.js'
import { readRope, ropeFields } from './rope-fields.js'
import type { LayerType } from './rope-fields.js'

const size = z.number().int().positive()

/** Fields of config.json that all families have. */
export const commonFields = z.looseObject({
  vocab_size: size,
  hidden_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  intermediate_size: size,
  max_position_embeddings: size,
  rms_norm_eps: z.number().positive().default(1e-6),
  tie_word_embeddings: z.boolean().default(false),
  hidden_act: z.string().default('silu'),
  ...ropeFields.shape,
})

/** Fields that say which layers have a window. */
export const windowFields = z.looseObject({
  sliding_window: size.nullish(),
  layer_types: z.array(z.string()).nullish(),
})

/** Names of weights in checkpoints of Llama, which most families took over. */
export const commonNames = {
  embed: 'model.embed_tokens.weight',
  'layers.{i}.inputNorm': 'model.layers.{i}.input_layernorm.weight',
  'layers.{i}.q.weight': 'model.layers.{i}.self_attn.q_proj.weight',
  'layers.{i}.q.bias': 'model.layers.{i}.self_attn.q_proj.bias',
  'layers.{i}.k.weight': 'model.layers.{i}.self_attn.k_proj.weight',
  'layers.{i}.k.bias': 'model.layers.{i}.self_attn.k_proj.bias',
  'layers.{i}.v.weight': 'model.layers.{i}.self_attn.v_proj.weight',
  'layers.{i}.v.bias': 'model.layers.{i}.self_attn.v_proj.bias',
  'layers.{i}.o.weight': 'model.layers.{i}.self_attn.o_proj.weight',
  'layers.{i}.o.bias': 'model.layers.{i}.self_attn.o_proj.bias',
  'layers.{i}.qNorm': 'model.layers.{i}.self_attn.q_norm.weight',
  'layers.{i}.kNorm': 'model.layers.{i}.self_attn.k_norm.weight',
  'layers.{i}.postNorm': 'model.layers.{i}.post_attention_layernorm.weight',
  'layers.{i}.gate.weight': 'model.layers.{i}.mlp.gate_proj.weight',
  'layers.{i}.up.weight': 'model.layers.{i}.mlp.up_proj.weight',
  'layers.{i}.down.weight': 'model.layers.{i}.mlp.down_proj.weight',
  finalNorm: 'model.norm.weight',
  lmHead: 'lm_head.weight',
} satisfies WeightNames

/** As `commonNames`, with norms behind attention and feed-forward too (Gemma). */
export const outputNormNames: WeightNames = {
  ...commonNames,
  'layers.{i}.attentionNorm': 'model.layers.{i}.post_attention_layernorm.weight',
  'layers.{i}.postNorm': 'model.layers.{i}.pre_feedforward_layernorm.weight',
  'layers.{i}.feedForwardNorm': 'model.layers.{i}.post_feedforward_layernorm.weight',
}

/** What a family may say unlike Llama. */
export interface Traits {
  headDim?: number
  kvHeads?: number
  /** Type of each layer; default: all see all that is before them. */
  layerTypes?: readonly string[]
  /** Tokens that a `sliding_attention` layer sees. */
  window?: number | undefined
  /** Where config.json names no `rope_theta`. Default 10000. */
  theta?: Partial<Record<LayerType, number>>
}

/** The architecture of a model that is Llama but for `traits`; a family overrides further flags. */
export function commonArchitecture(file: z.infer<typeof commonFields>, traits: Traits = {}): Architecture {
  const heads = file.num_attention_heads
  const kvHeads = file.num_key_value_heads ?? traits.kvHeads ?? heads
  const headDim = file.head_dim ?? traits.headDim ?? file.hidden_size / heads
  if (heads % kvHeads !== 0) throw new Error(`${heads} heads cannot share ${kvHeads} key heads`)
  if (headDim % 2 !== 0) throw new Error(`head_dim must be an even integer, got ${headDim}`)
  const sliding = slidingLayers(file.num_hidden_layers, traits)
  const types: LayerType[] = sliding ? ['full_attention', 'sliding_attention'] : ['full_attention']
  const used = sliding?.every((slides) => slides) ? types.slice(1) : types
  const rope = readRope(file, used, traits.theta)
  return {
    vocabSize: file.vocab_size,
    hiddenSize: file.hidden_size,
    layers: file.num_hidden_layers,
    heads,
    kvHeads,
    headDim,
    intermediateSize: file.intermediate_size,
    maxPositions: file.max_position_embeddings,
    tieWordEmbeddings: file.tie_word_embeddings,
    embeddingScale: 1,
    rmsNormEps: file.rms_norm_eps,
    normOffset: 0,
    outputNorms: false,
    attentionBias: { qkv: false, o: false },
    qkNorm: false,
    attentionScale: 1 / Math.sqrt(headDim),
    rope: rope[used[0]!]!,
    ...(sliding && { sliding: { layers: sliding, window: traits.window!, rope: rope.sliding_attention! } }),
    activation: readActivation('hidden_act', file.hidden_act),
  }
}

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  silu: 'silu',
  swish: 'silu',
  gelu_pytorch_tanh: 'gelu_tanh',
  gelu_new: 'gelu_tanh',
}

/** @throws naming `field` where the function is not known */
export function readActivation(field: string, name: string): Activation {
  const activation = ACTIVATIONS[name]
  if (activation) return activation
  throw new Error(`${field} '${name}' is not supported; supported are ${Object.keys(ACTIVATIONS).join(', ')}`)
}

function slidingLayers(layers: number, { layerTypes, window }: Traits): boolean[] | undefined {
  if (!layerTypes) return undefined
  if (layerTypes.length !== layers) throw new Error(`layer_types has ${layerTypes.length} entries for ${layers} layers`)
  const unknown = layerTypes.find((type) => type !== 'full_attention' && type !== 'sliding_attention')
  if (unknown !== undefined) {
    throw new Error(`layer type '${unknown}' is not supported; supported are full_attention and sliding_attention`)
  }
  const slides = layerTypes.map((type) => type === 'sliding_attention')
  if (!slides.includes(true)) return undefined
  if (window === undefined) throw new Error('layer_types has sliding_attention, but sliding_window is not set')
  return slides
}
