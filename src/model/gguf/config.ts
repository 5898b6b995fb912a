import { z } from 'zod'
import type { GgufHeader } from './header.js'
import { llama3Scaling } from './rope-factors.js'

const number = z.union([z.number(), z.bigint()]).transform(Number)
const size = number.pipe(z.int().positive())
const positive = number.pipe(z.number().positive())

/** Fields of a decoder, after the name of its architecture. */
const decoder = z.object({
  block_count: size,
  context_length: size,
  embedding_length: size,
  feed_forward_length: size,
  'attention.head_count': size,
  'attention.head_count_kv': size.optional(),
  'attention.key_length': size.optional(),
  'attention.value_length': size.optional(),
  'attention.layer_norm_rms_epsilon': positive,
  'rope.dimension_count': size.optional(),
  'rope.freq_base': positive.default(10_000),
  'rope.scaling.type': z.string().default('none'),
  'rope.scaling.factor': positive.optional(),
  'rope.scale_linear': positive.optional(),
  expert_count: number.default(0),
})

const ids = z.object({
  'tokenizer.ggml.bos_token_id': number.optional(),
  'tokenizer.ggml.eos_token_id': number.optional(),
  'tokenizer.ggml.padding_token_id': number.optional(),
})

/** Architectures of GGUF that are read, and the classes of transformers that they are. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  llama: 'LlamaForCausalLM',
  qwen2: 'Qwen2ForCausalLM',
  qwen3: 'Qwen3ForCausalLM',
}

/** Divides the rotation of each pair of dimensions, in models of Llama 3.1 and later. */
export const ROPE_FACTORS = 'rope_freqs.weight'

/**
 * The config.json of a GGUF's model.
 * @param factors Values of `ROPE_FACTORS`, where the file has them.
 * @throws where the architecture, or what it is set to, is not supported
 */
export function configOfGguf({ metadata, tensors }: GgufHeader, factors?: Float32Array): Record<string, unknown> {
  const name = metadata['general.architecture']
  if (typeof name !== 'string' || !Object.hasOwn(ARCHITECTURES, name)) {
    throw new Error(
      `general.architecture ${JSON.stringify(name)} is not supported; supported are ${Object.keys(ARCHITECTURES).join(', ')}`,
    )
  }
  const shards = Number(metadata['split.count'] ?? 1)
  if (shards > 1) throw new Error(`it is one of ${shards} parts; join them with llama-gguf-split --merge of llama.cpp`)
  const fields = decoder.parse(
    Object.fromEntries(Object.keys(decoder.shape).map((key) => [key, metadata[`${name}.${key}`]])),
  )
  if (fields.expert_count > 0)
    throw new Error(`${name}.expert_count ${fields.expert_count} is not supported; only 0 is`)
  const heads = fields['attention.head_count']
  const hiddenSize = fields.embedding_length
  const turned = fields['rope.dimension_count']
  const headDim = fields['attention.key_length'] ?? turned ?? hiddenSize / heads
  for (const key of ['attention.value_length', 'rope.dimension_count'] as const) {
    const value = fields[key] ?? headDim
    if (value !== headDim)
      throw new Error(`${name}.${key} ${value} is not supported; only a head's size, ${headDim}, is`)
  }
  const tokens = ids.parse(metadata)
  return {
    architectures: [ARCHITECTURES[name]],
    model_type: name,
    vocab_size: tensors.get('token_embd.weight')?.shape[0],
    hidden_size: hiddenSize,
    num_hidden_layers: fields.block_count,
    num_attention_heads: heads,
    num_key_value_heads: fields['attention.head_count_kv'] ?? heads,
    head_dim: headDim,
    intermediate_size: fields.feed_forward_length,
    max_position_embeddings: fields.context_length,
    rms_norm_eps: fields['attention.layer_norm_rms_epsilon'],
    hidden_act: 'silu',
    // llama.cpp writes the output projection only where it is not the embedding.
    tie_word_embeddings: !tensors.has('output.weight'),
    ...(name !== 'qwen2' && { attention_bias: tensors.has('blk.0.attn_q.bias') }),
    rope_theta: fields['rope.freq_base'],
    rope_scaling: ropeScaling(name, fields, headDim, factors),
    bos_token_id: tokens['tokenizer.ggml.bos_token_id'] ?? null,
    eos_token_id: tokens['tokenizer.ggml.eos_token_id'] ?? null,
    pad_token_id: tokens['tokenizer.ggml.padding_token_id'] ?? null,
  }
}

function ropeScaling(
  name: string,
  fields: z.infer<typeof decoder>,
  headDim: number,
  factors: Float32Array | undefined,
): object | null {
  const type = fields['rope.scaling.type']
  const factor = fields['rope.scaling.factor'] ?? fields['rope.scale_linear'] ?? 1
  const linear = type === 'linear' || fields['rope.scale_linear'] !== undefined
  if (type !== 'none' && type !== 'linear')
    throw new Error(`${name}.rope.scaling.type '${type}' is not supported; supported are none and linear`)
  if (factors) {
    if (linear && factor !== 1) throw new Error(`${ROPE_FACTORS} beside ${name}.rope.scaling is not supported`)
    return llama3Scaling(factors, fields['rope.freq_base'], headDim)
  }
  return linear && factor !== 1 ? { rope_type: 'linear', factor } : null
}
