import { homedir } from 'node:os'
import { join } from 'node:path'

// The one reader and writer of process settings in the library (the command line and the kernel aside).

/**
 * TensorFlow reads `ZEROSEARCH_DEVICE` and `ZEROSEARCH_GPU_MEMORY` itself (src/tensor/native/context.h).
 */
export function quietTensorFlowLog(): void {
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2'
}

/**
 * oneDNN's pool grows by doubling and is never given back: after a training of the mini policy it held 1.07 GB. The
 * system's allocator gives back what is freed (src/tensor/native/context.h, `releaseMemory`).
 */
export function returnTensorFlowMemory(): void {
  process.env['TF_ONEDNN_USE_SYSTEM_ALLOCATOR'] ??= '1'
}

/** `ZEROSEARCH_STATIC=1`: outputs for viewers that show pictures and plain HTML alone. May be set in a cell. */
export function staticOutputs(): boolean {
  return process.env['ZEROSEARCH_STATIC'] === '1'
}

const secret = (name: string) => (): string | undefined => process.env[name]?.trim() || undefined

/** Keeps a secret for the rest of this process, as if it had been set before the start. */
export function keepSecret(name: string, value: string): void {
  process.env[name] = value
}

/** The key for servers that speak OpenAI's protocol, where none is given. */
export const openAiKey = secret('OPENAI_API_KEY')

/** The key for SerpAPI, where none is given. */
export const serpApiKey = secret('SERPAPI_API_KEY')

/** The key for Google's Custom Search, where none is given. */
export const googleKey = secret('GOOGLE_API_KEY')

/** What requests to a server of ours must carry, where no token is given. */
export const serveToken = secret('ZEROSEARCH_SERVE_TOKEN')

/** The key for Elasticsearch, where none is given. */
export const elasticsearchKey = secret('ELASTICSEARCH_API_KEY')

/** What the hub of Hugging Face must be told for what is private or gated, where no token is given; as Python's client reads it. */
export const hubToken = secret('HF_TOKEN')

/** Where downloads are kept that are not of the hub, as `XDG_CACHE_HOME` says: beside Python's cache of the hub. */
export function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'zerosearch')
}
