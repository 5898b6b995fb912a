import type { Family } from './family.js'
import { gemma2 } from './gemma2.js'
import { gemma3 } from './gemma3.js'
import { llama } from './llama.js'
import { qwen2 } from './qwen2.js'
import { qwen3 } from './qwen3.js'

/** By `model_type` in config.json. */
export const families = { qwen2, qwen3, llama, gemma2, gemma3_text: gemma3 } satisfies Record<string, Family>

/** `model_type` of the checkpoints that are read. */
export type ModelFamily = keyof typeof families

export function isFamily(name: string): name is ModelFamily {
  return Object.hasOwn(families, name)
}
