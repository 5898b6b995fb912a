// Writes a randomly initialised checkpoint of a given shape, for both sides of a benchmark to load.
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { writeCheckpoint } from '../../src/model/checkpoint.js'
import { parseModelConfig } from '../../src/model/config.js'
import { expectedShapes } from '../../src/model/weight-names.js'
import { createRandom } from '../../src/random/seeded-random.js'

export interface Shape {
  name: string
  vocabulary: number
  hidden: number
  layers: number
  heads: number
  kvHeads: number
  intermediate: number
}

const shape = (
  name: string,
  vocabulary: number,
  [hidden, layers, intermediate]: [number, number, number],
  [heads, kvHeads]: [number, number],
): Shape => ({ name, vocabulary, hidden, layers, heads, kvHeads, intermediate })

export const SMALL = shape('small', 2048, [256, 4, 768], [8, 4])
export const HALF_BILLION = shape('qwen2.5-0.5b-shape', 151_936, [896, 24, 4864], [14, 2])
/** 1.6 M parameters: the smaller of the mini world's sizes. */
export const TINY = shape('tiny', 2048, [192, 3, 512], [6, 3])
/** 52 M parameters. */
export const MEDIUM = shape('medium', 32_000, [512, 12, 1408], [8, 4])
export const SMOLLM2 = shape('smollm2-135m-shape', 49_152, [576, 30, 1536], [9, 3])
export const ONE_AND_A_HALF_BILLION = shape('qwen2.5-1.5b-shape', 151_936, [1536, 28, 8960], [12, 2])
export const THREE_BILLION = shape('qwen2.5-3b-shape', 151_936, [2048, 36, 11_008], [16, 2])
/** Its head is a matrix of its own, which is left out here as `configJson` ties it. */
export const SEVEN_BILLION = shape('qwen2.5-7b-shape', 152_064, [3584, 28, 18_944], [28, 4])

const CACHE = fileURLToPath(new URL('../../.cache/bench/', import.meta.url))
const TOKENIZER = fileURLToPath(new URL('../../data/mini/tokenizer/', import.meta.url))

/** The config.json of a shape. */
export function configJson(shape: Shape) {
  return {
    architectures: ['Qwen2ForCausalLM'],
    model_type: 'qwen2',
    vocab_size: shape.vocabulary,
    hidden_size: shape.hidden,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.kvHeads,
    intermediate_size: shape.intermediate,
    hidden_act: 'silu',
    rms_norm_eps: 1e-6,
    rope_theta: 1e6,
    max_position_embeddings: 2048,
    tie_word_embeddings: true,
    dtype: 'float32',
  }
}

/** @returns the folder; made once, with the mini world's tokenizer */
export async function randomCheckpoint(shape: Shape): Promise<string> {
  const folder = `${CACHE}${shape.name}`
  if (existsSync(folder)) return folder
  const json = configJson(shape)
  const files: Record<string, string> = { 'config.json': JSON.stringify(json) }
  for (const name of ['tokenizer.json', 'tokenizer_config.json']) files[name] = readFileSync(TOKENIZER + name, 'utf8')
  const random = createRandom(1)
  const tensors = function* () {
    for (const [key, dims] of Object.entries(expectedShapes(parseModelConfig(json)))) {
      const size = dims.reduce((a, b) => a * b, 1)
      const norm = key.toLowerCase().endsWith('norm')
      // The cheap draw matters at half a billion weights: a table of random numbers, walked with a stride.
      const table = Float32Array.from({ length: 4099 }, () => (random() - 0.5) * 0.07)
      const data = new Float32Array(size)
      for (let i = 0; i < size; i++) data[i] = norm ? 1 : table[(i * 31) % table.length]!
      yield { key, shape: dims, data }
    }
  }
  await writeCheckpoint(folder, { files, tensors: tensors(), dtype: 'float32' })
  return folder
}
