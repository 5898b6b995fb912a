import { stat } from 'node:fs/promises'
import { readCheckpoint } from './checkpoint.js'
import type { Checkpoint } from './checkpoint.js'
import { readGguf } from './gguf/checkpoint.js'

/** Opens a model folder in the layout of transformers, or a GGUF file. */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const found = await stat(path).catch(() => undefined)
  return found?.isFile() ? readGguf(path) : readCheckpoint(path)
}
