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
      ropeTheta: 1e6,
      rmsNormEps: 1e-6,
      tieWordEmbeddings: true,
      attentionBias: { qkv: true, o: false },
      qkNorm: false,
      maxPositions: 512,
    })
  })

  it('of Qwen2, written by transformers 4', async () => {
    expect('rope_parameters' in json('qwen2-sharded')).toBe(false)
    const config = await readModelConfig(checkpointFolder('qwen2-sharded'))
    expect(config).toMatchObject({ ropeTheta: 1e4, tieWordEmbeddings: false, kvHeads: 1 })
  })

  it('of Qwen3, with its own head size', async () => {
    const config = await readModelConfig(checkpointFolder('qwen3'))
    expect(config).toMatchObject({ headDim: 12, qkNorm: true, attentionBias: { qkv: false, o: false } })
  })

  it('of Llama 3, whichever transformers wrote the scaling', () => {
    const { rope_parameters, ...old } = json('llama3')
    const scaling = { factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositions: 64 }
    expect(parseModelConfig(json('llama3')).ropeScaling).toEqual(scaling)
    const { rope_theta, ...rope_scaling } = rope_parameters as Record<string, unknown>
    expect(parseModelConfig({ ...old, rope_theta, rope_scaling })).toEqual(parseModelConfig(json('llama3')))
  })

  it('without rope_theta takes 10000, as transformers does', () => {
    expect(parseModelConfig({ ...json('qwen2'), rope_parameters: undefined }).ropeTheta).toBe(10000)
  })

  it('names a sliding window that is not in use', () => {
    const window = { sliding_window: 8, max_window_layers: 0, layer_types: undefined }
    expect(() => parseModelConfig({ ...json('qwen2'), ...window, use_sliding_window: false })).not.toThrow()
    expect(() => parseModelConfig({ ...json('qwen2'), ...window, use_sliding_window: true })).toThrow('sliding-window')
  })

  it.each([
    [{ model_type: 'qwen2_moe' }, "architecture 'qwen2_moe' is not supported; supported are qwen2, qwen3, llama"],
    [{ quantization_config: { bits: 4 } }, 'quantised'],
    [{ layer_types: ['full_attention', 'sliding_attention'] }, 'sliding-window'],
    [{ hidden_act: 'gelu' }, "hidden_act 'gelu'"],
    [{ mlp_bias: true }, 'mlp_bias'],
    [{ rope_parameters: { rope_type: 'yarn', rope_theta: 1e4, factor: 4 } }, "rope type 'yarn'"],
    [{ rope_parameters: { rope_type: 'llama3', rope_theta: 1e4, factor: 4 } }, 'needs low_freq_factor'],
    [{ rope_parameters: { rope_theta: 1e4, partial_rotary_factor: 0.5 } }, 'partial_rotary_factor 0.5'],
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
