import type { Family } from './family.js'

/**
 * Fields by which one or another family of transformers changes what a model computes, and the value at which each of
 * them changes nothing (absent and null never do). A family that does not read such a field refuses other values.
 */
const FEATURES: Readonly<Record<string, unknown>> = {
  // Attention.
  attention_bias: false,
  attention_chunk_size: null,
  attention_multiplier: null,
  attn_logit_softcapping: null,
  clip_qkv: null,
  is_causal: true,
  kv_lora_rank: null,
  layer_types: null,
  no_rope_layers: null,
  qk_layernorm: false,
  qk_norm: false,
  query_pre_attn_scalar: null,
  rope_interleaved: false,
  use_bidirectional_attention: false,
  use_mrope: false,
  use_qk_norm: false,
  use_sliding_window: false,
  // Feed-forward.
  hidden_activation: null,
  mlp_bias: false,
  n_routed_experts: null,
  num_experts: null,
  num_local_experts: null,
  // Scales and residuals.
  embedding_multiplier: 1,
  final_logit_softcapping: null,
  lm_head_multiplier: 1,
  logit_scale: 1,
  logits_scaling: 1,
  residual_multiplier: 1,
  scale_depth: null,
  scale_emb: 1,
  use_parallel_residual: false,
  // Models of more than a decoder of text.
  add_cross_attention: false,
  is_encoder_decoder: false,
  text_config: null,
  vision_config: null,
}

/** What config.json asks for that `family` cannot do, or undefined. */
export function unsupportedFeature(json: Record<string, unknown>, family: Family): string | undefined {
  if (json['quantization_config'] ?? json['compression_config'])
    return 'quantised checkpoints are not supported; take the float16, bfloat16 or float32 one'
  const field = Object.keys(FEATURES).find((name) => {
    const value = json[name] ?? FEATURES[name]
    if (name in family.fields.shape || value === FEATURES[name]) return false
    return !(name === 'layer_types' && Array.isArray(value) && value.every((type) => type === 'full_attention'))
  })
  return field && `${field} ${JSON.stringify(json[field])} is not supported`
}
