import type { Family } from './family.js'
import { llama } from './llama.js'
import { qwen2 } from './qwen2.js'
import { qwen3 } from './qwen3.js'

/** By `model_type` in config.json. */
export const families = { qwen2, qwen3, llama } satisfies Record<string, Family>

export type ModelFamily = keyof typeof families

export function isFamily(name: string): name is ModelFamily {
  return Object.hasOwn(families, name)
}
