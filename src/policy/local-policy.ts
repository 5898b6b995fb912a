import { basename } from 'node:path'
import { readCheckpoint, writeCheckpoint } from '../model/checkpoint.js'
import type { ModelConfig } from '../model/config.js'
import { resolveModel } from '../model/download.js'
import type { ResolveModelOptions } from '../model/download.js'
import { disposeWeights, downloadWeights, uploadWeight } from '../model/weights.js'
import type { Weights } from '../model/weights.js'
import { checkTokenizer } from '../tokenizer/check-tokenizer.js'
import { loadTokenizer } from '../tokenizer/load-tokenizer.js'
import { decoderFor } from './decoder.js'
import type { Policy } from './policy.js'
import { Scheduler } from './scheduler.js'

export interface LocalPolicyOptions {
  /** Shown in tables; default: the last part of folder or name. */
  name?: string
  /** Conversations that run side by side; further ones wait. Default 64. */
  slots?: number
  /** Most ids of a conversation; default: what the model was made for, 4096 at most. */
  contextLength?: number
  /** Tokens sampled in one call of the model; default 8. Large models want fewer: compiling takes longer with each. */
  tokensPerCall?: number
  /** Ids per row of a prefill call; default 32. */
  prefillChunk?: number
  /** How a model is downloaded: cache folder, token, progress. */
  download?: ResolveModelOptions
}

/** A model of fewer parameters spends its time on the cache, so few rows share one; a larger one on its weights. */
const SMALL = 2e7
const SMALL_ROWS = 32

/** A policy whose weights are in this process, so that it can be trained. */
export interface LocalPolicy extends Policy {
  readonly config: ModelConfig
  readonly weights: Weights
  /** Writes a model folder that transformers loads. The folder appears when it is complete. */
  save(folder: string, dtype?: 'float32' | 'bfloat16'): Promise<void>
  /** Frees the weights and the cache. */
  dispose(): void
}

/**
 * Loads a model (Qwen2, Qwen2.5, Qwen3, Llama 3.x, Gemma 2, Gemma 3 of text): a folder in Hugging Face's layout, or a name of the hub, which is
 * downloaded once.
 */
export async function loadPolicy(model: string, options: LocalPolicyOptions = {}): Promise<LocalPolicy> {
  const folder = await resolveModel(model, options.download)
  const checkpoint = await readCheckpoint(folder)
  const { config } = checkpoint
  const tokenizer = await loadTokenizer(folder)
  checkTokenizer(tokenizer, config)
  const weights: Weights = {}
  for await (const { key, shape, data } of checkpoint.tensors()) weights[key] = await uploadWeight(key, shape, data)
  const {
    slots = 64,
    contextLength = Math.min(config.maxPositions, 4096),
    tokensPerCall = 8,
    prefillChunk = 32,
  } = options
  const decoder = decoderFor(config, tokenizer.vocabSize, tokensPerCall)
  const parameters = Object.values(weights).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)
  const rows = Math.min(slots, parameters < SMALL ? SMALL_ROWS : slots)
  const scheduler = new Scheduler({ config, weights, tokenizer, decoder, slots, rows, contextLength, prefillChunk })
  return {
    name: options.name ?? basename(model),
    tokenizer,
    contextLength,
    config,
    weights,
    start: (sampling, seed) => scheduler.start(sampling, seed),
    save: (target, dtype = 'float32') =>
      writeCheckpoint(target, { sourceFolder: folder, tensors: downloadWeights(weights), dtype }),
    dispose() {
      scheduler.dispose()
      disposeWeights(weights)
    },
  }
}
