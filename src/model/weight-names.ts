import type { ModelConfig } from './config.js'

/** Our keys and Hugging Face's names, alike in Qwen2, Qwen3 and Llama. `{i}` is the layer. */
const NAMES: [key: string, name: string][] = [
  ['embed', 'model.embed_tokens.weight'],
  ['finalNorm', 'model.norm.weight'],
  ['lmHead', 'lm_head.weight'],
  ['layers.{i}.inputNorm', 'model.layers.{i}.input_layernorm.weight'],
  ['layers.{i}.q.weight', 'model.layers.{i}.self_attn.q_proj.weight'],
  ['layers.{i}.q.bias', 'model.layers.{i}.self_attn.q_proj.bias'],
  ['layers.{i}.k.weight', 'model.layers.{i}.self_attn.k_proj.weight'],
  ['layers.{i}.k.bias', 'model.layers.{i}.self_attn.k_proj.bias'],
  ['layers.{i}.v.weight', 'model.layers.{i}.self_attn.v_proj.weight'],
  ['layers.{i}.v.bias', 'model.layers.{i}.self_attn.v_proj.bias'],
  ['layers.{i}.qNorm', 'model.layers.{i}.self_attn.q_norm.weight'],
  ['layers.{i}.kNorm', 'model.layers.{i}.self_attn.k_norm.weight'],
  ['layers.{i}.o.weight', 'model.layers.{i}.self_attn.o_proj.weight'],
  ['layers.{i}.o.bias', 'model.layers.{i}.self_attn.o_proj.bias'],
  ['layers.{i}.postNorm', 'model.layers.{i}.post_attention_layernorm.weight'],
  ['layers.{i}.gate.weight', 'model.layers.{i}.mlp.gate_proj.weight'],
  ['layers.{i}.up.weight', 'model.layers.{i}.mlp.up_proj.weight'],
  ['layers.{i}.down.weight', 'model.layers.{i}.mlp.down_proj.weight'],
]

/** One weight of a model. Linear weights are [out, in], as Hugging Face stores them. */
export interface WeightSpec {
  key: string
  /** Name in a checkpoint. */
  name: string
  shape: number[]
}

/** All weights that a model has, in a fixed order. */
export function weightSpecs(config: ModelConfig): WeightSpec[] {
  return NAMES.flatMap(([key, name]) => {
    const layers = key.includes('{i}') ? Array.from({ length: config.layers }, (_, i) => String(i)) : ['']
    return layers.flatMap((i) => {
      const shape = shapeOf(config, key.replace('layers.{i}.', ''))
      return shape ? [{ key: key.replace('{i}', i), name: name.replace('{i}', i), shape }] : []
    })
  })
}

/** Undefined where this model has no such weight. */
function shapeOf(config: ModelConfig, part: string): number[] | undefined {
  const { hiddenSize, intermediateSize, headDim, vocabSize, attentionBias, qkNorm } = config
  const q = config.heads * headDim
  const kv = config.kvHeads * headDim
  const when = (present: boolean, ...shape: number[]): number[] | undefined => (present ? shape : undefined)
  switch (part) {
    case 'embed':
      return [vocabSize, hiddenSize]
    case 'lmHead':
      return when(!config.tieWordEmbeddings, vocabSize, hiddenSize)
    case 'q.weight':
      return [q, hiddenSize]
    case 'k.weight':
    case 'v.weight':
      return [kv, hiddenSize]
    case 'q.bias':
      return when(attentionBias.qkv, q)
    case 'k.bias':
    case 'v.bias':
      return when(attentionBias.qkv, kv)
    case 'o.weight':
      return [hiddenSize, q]
    case 'o.bias':
      return when(attentionBias.o, hiddenSize)
    case 'qNorm':
    case 'kNorm':
      return when(qkNorm, headDim)
    case 'gate.weight':
    case 'up.weight':
      return [intermediateSize, hiddenSize]
    case 'down.weight':
      return [hiddenSize, intermediateSize]
    default:
      return [hiddenSize]
  }
}
