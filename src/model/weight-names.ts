import type { ModelConfig, ModelFamily } from './config.js'

/** Our key of a weight, with `{i}` for the layer, to its name in checkpoints. */
type NameTable = Readonly<Record<string, string>>

const COMMON: NameTable = {
  embed: 'model.embed_tokens.weight',
  'layers.{i}.inputNorm': 'model.layers.{i}.input_layernorm.weight',
  'layers.{i}.q.weight': 'model.layers.{i}.self_attn.q_proj.weight',
  'layers.{i}.q.bias': 'model.layers.{i}.self_attn.q_proj.bias',
  'layers.{i}.k.weight': 'model.layers.{i}.self_attn.k_proj.weight',
  'layers.{i}.k.bias': 'model.layers.{i}.self_attn.k_proj.bias',
  'layers.{i}.v.weight': 'model.layers.{i}.self_attn.v_proj.weight',
  'layers.{i}.v.bias': 'model.layers.{i}.self_attn.v_proj.bias',
  'layers.{i}.o.weight': 'model.layers.{i}.self_attn.o_proj.weight',
  'layers.{i}.postNorm': 'model.layers.{i}.post_attention_layernorm.weight',
  'layers.{i}.gate.weight': 'model.layers.{i}.mlp.gate_proj.weight',
  'layers.{i}.up.weight': 'model.layers.{i}.mlp.up_proj.weight',
  'layers.{i}.down.weight': 'model.layers.{i}.mlp.down_proj.weight',
  finalNorm: 'model.norm.weight',
  lmHead: 'lm_head.weight',
}

const OUTPUT_BIAS: NameTable = { 'layers.{i}.o.bias': 'model.layers.{i}.self_attn.o_proj.bias' }

/** Names per family; a model has those of them that its config calls for. */
export const WEIGHT_NAMES: Readonly<Record<ModelFamily, NameTable>> = {
  qwen2: COMMON,
  qwen3: {
    ...COMMON,
    ...OUTPUT_BIAS,
    'layers.{i}.qNorm': 'model.layers.{i}.self_attn.q_norm.weight',
    'layers.{i}.kNorm': 'model.layers.{i}.self_attn.k_norm.weight',
  },
  llama: { ...COMMON, ...OUTPUT_BIAS },
}

/** The name in checkpoints of a weight that we call `key`. */
export function checkpointName(family: ModelFamily, key: string): string {
  const layer = /^layers\.(\d+)\./.exec(key)?.[1]
  const pattern = layer === undefined ? key : key.replace(`layers.${layer}.`, 'layers.{i}.')
  const name = WEIGHT_NAMES[family][pattern]
  if (name === undefined) throw new Error(`weight names: family ${family} has no weight '${key}'`)
  return layer === undefined ? name : name.replace('{i}', layer)
}

/** Every weight of a model by key, with its shape; linear weights are [out, in]. Order: first layer to last. */
export function expectedShapes(config: ModelConfig): Record<string, number[]> {
  const { hiddenSize, intermediateSize, headDim, vocabSize, attentionBias } = config
  const queries = config.heads * headDim
  const keys = config.kvHeads * headDim
  const shapes: Record<string, number[]> = { embed: [vocabSize, hiddenSize] }
  for (let i = 0; i < config.layers; i++) {
    const add = (part: string, shape: number[]): void => {
      shapes[`layers.${i}.${part}`] = shape
    }
    add('inputNorm', [hiddenSize])
    for (const [part, rows] of [['q', queries] as const, ['k', keys] as const, ['v', keys] as const]) {
      add(`${part}.weight`, [rows, hiddenSize])
      if (attentionBias.qkv) add(`${part}.bias`, [rows])
    }
    add('o.weight', [hiddenSize, queries])
    if (attentionBias.o) add('o.bias', [hiddenSize])
    if (config.qkNorm) {
      add('qNorm', [headDim])
      add('kNorm', [headDim])
    }
    add('postNorm', [hiddenSize])
    add('gate.weight', [intermediateSize, hiddenSize])
    add('up.weight', [intermediateSize, hiddenSize])
    add('down.weight', [hiddenSize, intermediateSize])
  }
  shapes['finalNorm'] = [hiddenSize]
  if (!config.tieWordEmbeddings) shapes['lmHead'] = [vocabSize, hiddenSize]
  return shapes
}
