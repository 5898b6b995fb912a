import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseModelConfig, readModelConfig } from '../../src/model/config.js'
import { checkpointFolder, temporaryFolder } from './fixtures.js'

const json = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(checkpointFolder(name), 'config.json'), 'utf8')) as Record<string, unknown>

describe('config.json', () => {
  it('of Qwen2, written by transformers 5', async () => {
    expect(await readModelConfig(checkpointFolder('qwen2'))).toEqual({
      family: 'qwen2',
      vocabSize: 320,
      hiddenSize: 32,
      layers: 2,
      heads: 4,
      kvHeads: 2,
      headDim: 8,
      intermediateSize: 48,
      maxPositions: 512,
      tieWordEmbeddings: true,
      embeddingScale: 1,
      rmsNormEps: 1e-6,
      normOffset: 0,
      outputNorms: false,
      attentionBias: { qkv: true, o: false },
      qkNorm: false,
      attentionScale: 1 / Math.sqrt(8),
      rope: { theta: 1e6 },
      activation: 'silu',
    })
  })

  it('of Qwen2, written by transformers 4', async () => {
    expect('rope_parameters' in json('qwen2-sharded')).toBe(false)
    const config = await readModelConfig(checkpointFolder('qwen2-sharded'))
    expect(config).toMatchObject({ rope: { theta: 1e4 }, tieWordEmbeddings: false, kvHeads: 1 })
  })

  it('of Qwen3, with its own head size', async () => {
    const config = await readModelConfig(checkpointFolder('qwen3'))
    expect(config).toMatchObject({ headDim: 12, qkNorm: true, attentionBias: { qkv: false, o: false } })
  })

  it('of Llama 3, whichever transformers wrote the scaling', () => {
    const { rope_parameters, ...old } = json('llama3')
    const scaling = { type: 'llama3', factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositions: 64 }
    expect(parseModelConfig(json('llama3')).rope).toEqual({ theta: 1e4, scaling })
    const { rope_theta, ...rope_scaling } = rope_parameters as Record<string, unknown>
    expect(parseModelConfig({ ...old, rope_theta, rope_scaling })).toEqual(parseModelConfig(json('llama3')))
  })

  it('without rope_theta takes 10000, as transformers does', () => {
    expect(parseModelConfig({ ...json('qwen2'), rope_parameters: undefined }).rope).toEqual({ theta: 10000 })
  })

  it('has no sliding window where one is named but not switched on', () => {
    const window = { sliding_window: 8, max_window_layers: 1, layer_types: undefined }
    expect(parseModelConfig({ ...json('qwen2'), ...window, use_sliding_window: false }).sliding).toBeUndefined()
    const sliding = { layers: [false, true], window: 8, rope: { theta: 1e6 } }
    expect(parseModelConfig({ ...json('qwen2'), ...window, use_sliding_window: true }).sliding).toEqual(sliding)
    const named = { layer_types: ['full_attention', 'sliding_attention'], sliding_window: 8, use_sliding_window: true }
    expect(parseModelConfig({ ...json('qwen2'), ...named }).sliding).toEqual(sliding)
  })

  it('reads rope_parameters that are nested by type of layer', () => {
    const full_attention = { rope_type: 'default', rope_theta: 5e5 }
    const sliding_attention = { rope_type: 'linear', rope_theta: 1e4, factor: 8 }
    const rope_parameters = { full_attention, sliding_attention }
    expect(parseModelConfig({ ...json('qwen2'), rope_parameters })).toMatchObject({ rope: { theta: 5e5 } })
    const window = { sliding_window: 8, max_window_layers: 1, layer_types: undefined, use_sliding_window: true }
    expect(parseModelConfig({ ...json('qwen2'), ...window, rope_parameters })).toMatchObject({
      rope: { theta: 5e5 },
      sliding: { rope: { theta: 1e4, scaling: { type: 'linear', factor: 8 } } },
    })
  })

  it('lets rope_scaling win over rope_parameters, as transformers does', () => {
    const both = { rope_parameters: { rope_theta: 1e6 }, rope_scaling: { type: 'linear', factor: 2, rope_theta: 5e5 } }
    expect(parseModelConfig({ ...json('qwen2'), ...both }).rope).toEqual({
      theta: 5e5,
      scaling: { type: 'linear', factor: 2 },
    })
  })

  it('takes Llama 3’s scaling from the field beside rope_parameters first, as transformers does', () => {
    const config = parseModelConfig({ ...json('llama3'), original_max_position_embeddings: 32 })
    expect(config.rope.scaling).toMatchObject({ originalMaxPositions: 32 })
  })

  it('of Gemma 3, whichever transformers wrote it', () => {
    const config = parseModelConfig(json('gemma3'))
    expect(config).toMatchObject({
      family: 'gemma3_text',
      normOffset: 1,
      embeddingScale: Math.sqrt(32),
      rope: { theta: 1e6, scaling: { type: 'linear', factor: 8 } },
      sliding: { layers: [true, false], window: 6, rope: { theta: 1e4 } },
    })
    const { rope_parameters, layer_types, ...old } = json('gemma3')
    expect(rope_parameters && layer_types).toBeTruthy()
    const rope = { rope_theta: 1e6, rope_local_base_freq: 1e4, rope_scaling: { rope_type: 'linear', factor: 8 } }
    expect(parseModelConfig({ ...old, ...rope, sliding_window_pattern: 2 })).toEqual(config)
    const flat = { rope_parameters: { rope_theta: 1e4 } }
    expect(() => parseModelConfig({ ...json('gemma3'), ...flat })).toThrow('must be nested by type of layer')
  })

  it.each([
    [
      { model_type: 'qwen2_moe' },
      "architecture 'qwen2_moe' is not supported; supported are qwen2, qwen3, llama, gemma2, gemma3_text",
    ],
    [{ quantization_config: { bits: 4 } }, 'quantised'],
    [{ layer_types: ['full_attention', 'sliding_attention'] }, 'sliding_window is not set'],
    [{ layer_types: ['full_attention', 'linear_attention'] }, "layer type 'linear_attention'"],
    [{ layer_types: ['full_attention'] }, 'layer_types has 1 entries for 2 layers'],
    [{ hidden_act: 'gelu' }, "hidden_act 'gelu'"],
    [{ is_causal: false }, 'is_causal false is not supported'],
    [{ use_bidirectional_attention: true }, 'use_bidirectional_attention true'],
    [{ final_logit_softcapping: 30 }, 'final_logit_softcapping 30'],
    [{ logit_scale: 0.5 }, 'logit_scale 0.5'],
    [{ num_local_experts: 8 }, 'num_local_experts 8'],
    [{ attention_bias: true }, 'attention_bias true'],
    [{ mlp_bias: true }, 'mlp_bias'],
    [{ rope_parameters: { rope_type: 'yarn', rope_theta: 1e4, factor: 4 } }, "rope type 'yarn'"],
    [{ rope_parameters: { rope_type: 'llama3', rope_theta: 1e4, factor: 4 } }, 'needs low_freq_factor'],
    [{ rope_parameters: { rope_theta: 1e4, partial_rotary_factor: 0.5 } }, 'partial_rotary_factor 0.5'],
    [{ rope_scaling: { rope_type: 'yarn', rope_theta: 1e4, factor: 4 } }, "rope type 'yarn'"],
    [{ rope_parameters: { full_attention: { rope_type: 'yarn', factor: 4 } } }, "rope type 'yarn'"],
    [{ rope_parameters: { sliding_attention: { rope_theta: 1e4 } } }, "not 'full_attention'"],
    [{ rope_parameters: { chunked_attention: { rope_theta: 1e4 } } }, "rope_parameters of 'chunked_attention'"],
    [{ rope_parameters: { rope_theta: 1e4, full_attention: { partial_rotary_factor: 0.5 } } }, 'factor 0.5'],
    [{ num_key_value_heads: 3 }, '4 heads cannot share 3 key heads'],
    [{ head_dim: 7 }, 'head_dim must be an even integer, got 7'],
    [{ hidden_size: undefined }, 'hidden_size'],
    [{ vocab_size: -1 }, 'vocab_size'],
  ])('refuses %j', (change, message) => {
    expect(() => parseModelConfig({ ...json('qwen2'), ...change }, 'there')).toThrow(message)
  })

  it('says which file is missing or broken', async () => {
    const folder = temporaryFolder()
    await expect(readModelConfig(folder)).rejects.toThrow(/cannot read .*config.json/)
    writeFileSync(join(folder, 'config.json'), '{')
    await expect(readModelConfig(folder)).rejects.toThrow(/config.json is not JSON/)
  })
})
