import { z } from 'zod'
import { madeTexts } from '../../file/text-files.js'
import { checkpointOf } from '../checkpoint.js'
import type { Checkpoint } from '../checkpoint.js'
import { parseModelConfig } from '../config.js'
import type { ModelConfig } from '../config.js'
import type { TensorSource } from '../safetensors.js'
import { firstOf } from '../stored-tensors.js'
import { expectedShapes } from '../weight-names.js'
import { ROPE_FACTORS, configOfGguf } from './config.js'
import { readGgufHeader } from './header.js'
import type { GgufHeader } from './header.js'
import { openGgufTensors } from './tensors.js'
import { textsOfGguf } from './tokenizer-texts.js'

/** Our key of a weight, after its layer, to its name in GGUF. */
const NAMES: Readonly<Record<string, string>> = {
  embed: 'token_embd.weight',
  inputNorm: 'attn_norm.weight',
  'q.weight': 'attn_q.weight',
  'q.bias': 'attn_q.bias',
  'k.weight': 'attn_k.weight',
  'k.bias': 'attn_k.bias',
  'v.weight': 'attn_v.weight',
  'v.bias': 'attn_v.bias',
  'o.weight': 'attn_output.weight',
  'o.bias': 'attn_output.bias',
  qNorm: 'attn_q_norm.weight',
  kNorm: 'attn_k_norm.weight',
  postNorm: 'ffn_norm.weight',
  'gate.weight': 'ffn_gate.weight',
  'up.weight': 'ffn_up.weight',
  'down.weight': 'ffn_down.weight',
  finalNorm: 'output_norm.weight',
  lmHead: 'output.weight',
}

/**
 * Opens a GGUF file of Llama, Qwen2 or Qwen3. Its values become float32; its tokenizer and chat template come with it.
 * @throws where the file is broken, its architecture or a format is not supported, or a weight is missing or has
 * another shape
 */
export async function readGguf(path: string): Promise<Checkpoint> {
  const header = await readGgufHeader(path)
  const { json, texts } = await inWordsOf(path, async () => {
    const json = configOfGguf(header, await ropeFactors(header))
    return { json, texts: textsOfGguf(header) }
  })
  const config = parseModelConfig(json, path)
  checkNoOther(header, config)
  return checkpointOf(config, madeTexts(path, { 'config.json': json, ...texts }), {
    open: async () => unpermuted(await openGgufTensors(header), config),
    name: ggufName,
  })
}

async function inWordsOf<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    const message = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message
    throw message.startsWith('gguf: ') ? error : new Error(`gguf: ${path}: ${message}`, { cause: error })
  }
}

async function ropeFactors(header: GgufHeader): Promise<Float32Array | undefined> {
  if (!header.tensors.has(ROPE_FACTORS)) return undefined
  const source = await openGgufTensors(header)
  try {
    return await source.read(ROPE_FACTORS)
  } finally {
    await source.close()
  }
}

/** A weight's name in GGUF, by our key. */
export function ggufName(key: string): string {
  const [, layer, part] = /^layers\.(\d+)\.(.*)$/.exec(key) ?? []
  return layer === undefined ? NAMES[key]! : `blk.${layer}.${NAMES[part!]!}`
}

/** A weight that the config does not call for would change what the model computes. */
function checkNoOther({ path, tensors }: GgufHeader, config: ModelConfig): void {
  const expected = new Set(Object.keys(expectedShapes(config)).map(ggufName))
  const other = [...tensors.keys()].filter((name) => !expected.has(name) && name !== ROPE_FACTORS)
  if (other.length === 0) return
  throw new Error(`gguf: ${path}: no model of ${config.family} has ${firstOf(other.map((name) => `'${name}'`))}`)
}

/**
 * Llama's queries and keys as transformers has them. llama.cpp turns neighbouring dimensions of a head, transformers
 * those that are half a head apart, so llama.cpp's converter puts their rows into another order (`LlamaModel.permute`).
 */
function unpermuted(source: TensorSource, { family, headDim }: ModelConfig): TensorSource {
  if (family !== 'llama') return source
  return {
    ...source,
    async read(name) {
      const values = await source.read(name)
      if (!/\.attn_[qk]\.(weight|bias)$/.test(name)) return values
      const rows = source.shapes.get(name)![0]!
      const width = values.length / rows
      const ordered = new Float32Array(values.length)
      for (let row = 0; row < rows; row++) {
        const inHead = row % headDim
        const from = row - inHead + (inHead % (headDim / 2)) * 2 + Math.floor(inHead / (headDim / 2))
        ordered.set(values.subarray(from * width, (from + 1) * width), row * width)
      }
      return ordered
    },
  }
}
