import type { ModelConfig } from '../src/model/config.js'
import { expectedShapes } from '../src/model/weight-names.js'
import { uploadWeight } from '../src/model/weights.js'
import type { Weights } from '../src/model/weights.js'
import { createRandom } from '../src/random/seeded-random.js'
import type { Tokenizer } from '../src/tokenizer/tokenizer.js'

/** A model small enough to run in milliseconds. */
export const tinyConfig: ModelConfig = {
  family: 'qwen2',
  vocabSize: 96,
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
  rope: { theta: 10_000 },
  activation: 'silu',
}

/** Random weights that repeat for a seed; norms are 1. */
export async function tinyWeights(config: ModelConfig, seed: number): Promise<Weights> {
  const random = createRandom(seed)
  const weights: Weights = {}
  for (const [key, shape] of Object.entries(expectedShapes(config))) {
    const size = shape.reduce((a, b) => a * b, 1)
    const norm = key.toLowerCase().endsWith('norm')
    weights[key] = await uploadWeight(
      key,
      shape,
      Float32Array.from({ length: size }, () => (norm ? 1 : random() - 0.5)),
    )
  }
  return weights
}

/** One printable character an id, from the space on. */
export const letterTokenizer: Tokenizer = {
  vocabSize: 96,
  eosIds: [95],
  padId: 0,
  specialTokens: [],
  hasChatTemplate: false,
  encode: (text) => [...text].map((letter) => letter.charCodeAt(0) - 32),
  decode: (ids) => ids.map((id) => String.fromCharCode(id + 32)).join(''),
  renderPrompt: (messages) => messages.map((message) => message.content).join(''),
}
