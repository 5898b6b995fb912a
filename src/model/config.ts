import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { families, isFamily } from './family/families.js'
import type { ModelFamily } from './family/families.js'
import type { Architecture, Family } from './family/family.js'
import { unsupportedFeature } from './family/features.js'

/** The architecture of a decoder, as its config.json tells. */
export interface ModelConfig extends Architecture {
  /** `model_type` of the checkpoint, such as `qwen2`. */
  family: ModelFamily
}

/**
 * Reads config.json of a checkpoint folder.
 * @throws where the file is absent or broken, or asks for what is not supported (src/model/family has what is)
 */
export async function readModelConfig(folder: string): Promise<ModelConfig> {
  const path = join(folder, 'config.json')
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw new Error(`model config: cannot read ${path}; a checkpoint folder needs config.json`, { cause: error })
  }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new Error(`model config: ${path} is not JSON (${(error as Error).message})`, { cause: error })
  }
  return parseModelConfig(json, path)
}

/**
 * A config.json of transformers 4 or 5.
 * @param where Shown in errors.
 */
export function parseModelConfig(json: unknown, where = 'config.json'): ModelConfig {
  try {
    const file = z.looseObject({ model_type: z.string() }).parse(json)
    const { model_type: name } = file
    if (!isFamily(name)) {
      throw new Error(`architecture '${name}' is not supported; supported are ${Object.keys(families).join(', ')}`)
    }
    const family: Family = families[name]
    const unsupported = unsupportedFeature(file, family)
    if (unsupported) throw new Error(unsupported)
    return { family: name, ...family.architecture(file) }
  } catch (error) {
    const message = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message
    throw new Error(`model config: ${where}: ${message}`, { cause: error })
  }
}
