import type { ModelConfig } from '../model/config.js'
import { parameterCount } from '../model/weight-names.js'
import { native } from '../tensor/runtime.js'
import type { Decoder, DecoderOptions, DecodingType } from './decoder.js'
import { graphDecoder } from './graph-decoder.js'
import { xlaDecoder } from './xla-decoder.js'

/** A model of fewer parameters spends its time on many small steps, which XLA makes one; a larger one on its weights. */
export const SMALL = 2e7

/** What a decoder is made from. */
export interface DecoderForOptions extends DecoderOptions {
  /** Tokens that a call samples for each slot, where XLA compiles it. */
  tokensPerCall: number
  /** Ids per row of a prefill call, where XLA compiles it. */
  prefillChunk: number
  /** Of the layers' products, where XLA does not compile them (see `decodingType`). */
  dtype: DecodingType
}

const decoders = new Map<string, Decoder>()

/** The decoder of an architecture: a rule on size and device chooses, so that runs repeat bit for bit on a machine. */
export function decoderFor(options: DecoderForOptions): Decoder {
  const large = isLarge(options.config)
  const key = JSON.stringify([large, options])
  const known = decoders.get(key)
  if (known) return known
  const made = large
    ? graphDecoder(options, options.dtype)
    : xlaDecoder(options, options.tokensPerCall, options.prefillChunk)
  decoders.set(key, made)
  return made
}

/** What a model decodes in that was asked to in a type: XLA computes bfloat16 products no faster than those of float32. */
export const decodingType = (config: ModelConfig, asked: DecodingType): DecodingType =>
  isLarge(config) ? asked : 'float32'

/** Whether plain functions decode, which a GPU has none of. */
const isLarge = (config: ModelConfig): boolean => parameterCount(config) >= SMALL && !native.isUsingGpuDevice()
