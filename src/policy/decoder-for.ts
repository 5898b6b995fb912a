import type { ModelConfig } from '../model/config.js'
import { parameterCount } from '../model/weight-names.js'
import { native } from '../tensor/runtime.js'
import type { Decoder, DecoderOptions, DecodingType } from './decoder.js'
import { graphDecoder } from './graph-decoder.js'
import { xlaDecoder } from './xla-decoder.js'

/** A model of fewer parameters spends its time on many small steps, which XLA makes one; a larger one on its weights. */
const SMALL = 2e7

/**
 * With more slots than this some of them wait, most of the time, for their documents. XLA's program computes all of them, and
 * takes seconds to compile; plain functions compute those that are at work.
 */
const FEW_SLOTS = 4

/** Whether XLA compiles the decoder of a model with so many slots: always on a GPU, for few slots of a small one on the CPU. */
export const usesXla = (config: ModelConfig, slots: number): boolean =>
  native.isUsingGpuDevice() || (isSmall(config) && slots <= FEW_SLOTS)

/** Whether a model spends its time on its cache and on many small steps, rather than on its weights. */
export const isSmall = (config: ModelConfig): boolean => parameterCount(config) < SMALL

/** What a decoder is made from. */
export interface DecoderForOptions extends DecoderOptions {
  /** Conversations that run side by side. */
  slots: number
  /** Tokens that a call samples for each slot, where XLA compiles it. */
  tokensPerCall: number
  /** Ids per row of a prefill call, where XLA compiles it. */
  prefillChunk: number
  /** Of the layers' products, where XLA does not compile them (see `decodingType`). */
  dtype: DecodingType
}

const decoders = new Map<string, Decoder>()

/** The decoder of an architecture: a rule on size, slots and device chooses, so that runs repeat bit for bit on a machine. */
export function decoderFor({ slots, ...options }: DecoderForOptions): Decoder {
  const xla = usesXla(options.config, slots)
  const key = JSON.stringify([xla, options])
  const known = decoders.get(key)
  if (known) return known
  const made = xla
    ? xlaDecoder(options, options.tokensPerCall, options.prefillChunk)
    : graphDecoder(options, options.dtype)
  decoders.set(key, made)
  return made
}

/** What a model decodes in that was asked to in a type: XLA computes bfloat16 products no faster than those of float32. */
export const decodingType = (config: ModelConfig, slots: number, asked: DecodingType): DecodingType =>
  usesXla(config, slots) ? 'float32' : asked
