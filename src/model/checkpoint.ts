import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { folderTexts } from '../file/text-files.js'
import type { TextFiles } from '../file/text-files.js'
import { recoverFolder, writeFolder } from '../file/write-folder.js'
import type { FolderKind } from '../file/write-folder.js'
import { parseModelConfig, readModelConfig } from './config.js'
import type { ModelConfig } from './config.js'
import { createSafetensors } from './safetensors-writer.js'
import type { SafetensorsWriter } from './safetensors-writer.js'
import { openWeights } from './safetensors.js'
import type { TensorSource } from './safetensors.js'
import { firstOf, readTensors, shapeProblems } from './stored-tensors.js'
import type { NamedTensor, Stored } from './stored-tensors.js'
import { checkpointName, expectedShapes, valueCount } from './weight-names.js'

/** A checkpoint whose names and shapes have been checked; values are read when asked for. */
export interface Checkpoint {
  config: ModelConfig
  /** Number of values of all weights. */
  parameters: number
  /** Every weight, one at a time. May be called again. */
  tensors: () => AsyncIterable<NamedTensor>
  /** Config, tokenizer and chat template, as files of a model folder. */
  texts: TextFiles
}

/** What a written checkpoint consists of. */
export interface CheckpointContents {
  /** Every weight of the model, in any order. */
  tensors: AsyncIterable<NamedTensor> | Iterable<NamedTensor>
  /** How weights are stored; bfloat16 rounds to nearest even. */
  dtype: 'float32' | 'bfloat16'
  /** Config and tokenizer of the model that it comes from; they are copied. */
  texts?: TextFiles
  /** Further text files by name, config.json among them where there are no `texts`; these win over copied ones. */
  files?: Record<string, string>
  /** Weights beyond this many bytes go into further files; default 5 GB. */
  maxShardBytes?: number
  /** True replaces a checkpoint that is there; default false: that is refused. */
  overwrite?: boolean
}

const KIND: FolderKind = {
  operation: 'write checkpoint',
  what: 'checkpoint',
  marker: 'config.json',
  owns: (name) => /\.safetensors(\.index\.json)?$/.test(name) || TEXTS.has(name),
}

/** Texts of a model that must not stay beside another model's weights. */
const TEXTS = new Set([
  ...['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'tokenizer.model'],
  ...['special_tokens_map.json', 'added_tokens.json', 'vocab.json', 'vocab.txt', 'merges.txt'],
  ...['chat_template.jinja', 'chat_template.json'],
])

/**
 * Opens a checkpoint folder in the layout of transformers: config.json and safetensors, sharded or not.
 * @throws where a weight that the config calls for is missing or has another shape
 */
export async function readCheckpoint(folder: string): Promise<Checkpoint> {
  await recoverFolder(folder)
  const config = await readModelConfig(folder)
  return checkpointOf(config, folderTexts(folder), {
    open: () => openWeights(folder),
    name: (key) => checkpointName(config.family, key),
  })
}

/**
 * A checkpoint of a config and of weights that fit it.
 * @throws where one is missing or has another shape
 */
export async function checkpointOf(config: ModelConfig, texts: TextFiles, stored: Stored): Promise<Checkpoint> {
  const shapes = expectedShapes(config)
  const source = await stored.open()
  try {
    checkShapes(texts.where, shapes, stored, source)
  } finally {
    await source.close()
  }
  return { config, parameters: valueCount(shapes), texts, tensors: () => readTensors(shapes, stored) }
}

function checkShapes(where: string, shapes: Record<string, number[]>, stored: Stored, source: TensorSource): void {
  const problems = shapeProblems(shapes, stored, source)
  if (problems.length > 0) throw new Error(`checkpoint ${where}: weights do not fit the config: ${firstOf(problems)}`)
}

/**
 * Writes a checkpoint that transformers can load. All of it is written into a sibling folder first, which then takes
 * the place of `folder`: whatever was there stays whole until then. Files there that are no checkpoint's are kept.
 * @throws where a weight is missing, has another shape or is written twice, where `folder` holds something that is no
 * checkpoint, or one and `overwrite` is not said, where another process writes it, or the disk is full
 */
export async function writeCheckpoint(folder: string, contents: CheckpointContents): Promise<void> {
  const { overwrite = false } = contents
  await writeFolder(folder, KIND, { overwrite }, async (aside) => {
    await contents.texts?.copyTo(aside)
    for (const [name, text] of Object.entries(contents.files ?? {})) await writeFile(join(aside, name), text)
    await writeWeights(aside, await stampConfig(aside, contents.dtype), contents)
  })
}

/** transformers loads weights as the config's dtype, so that must be what is written; the rest stays as it is. */
async function stampConfig(folder: string, dtype: string): Promise<ModelConfig> {
  const path = join(folder, 'config.json')
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new Error('write checkpoint: needs config.json, from `texts` or in `files`', { cause: error })
  })
  const json = JSON.parse(text) as Record<string, unknown>
  const field = 'torch_dtype' in json ? 'torch_dtype' : 'dtype'
  if (json[field] !== dtype) await writeFile(path, `${JSON.stringify({ ...json, [field]: dtype }, null, 2)}\n`)
  return parseModelConfig(json, path)
}

async function writeWeights(folder: string, config: ModelConfig, contents: CheckpointContents): Promise<void> {
  const shapes = expectedShapes(config)
  const named = Object.fromEntries(
    Object.entries(shapes).map(([key, shape]) => [checkpointName(config.family, key), shape]),
  )
  const shards = planShards(named, contents.dtype === 'float32' ? 4 : 2, contents.maxShardBytes ?? 5e9)
  const writers: SafetensorsWriter[] = []
  const writerOf = new Map<string, SafetensorsWriter>()
  const weightMap: Record<string, string> = {}
  try {
    for (const [i, shard] of shards.entries()) {
      const number = (n: number): string => String(n).padStart(5, '0')
      const file =
        shards.length === 1 ? 'model.safetensors' : `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`
      const writer = await createSafetensors(join(folder, file), shard.shapes, contents.dtype)
      writers.push(writer)
      for (const name of Object.keys(shard.shapes)) {
        writerOf.set(name, writer)
        weightMap[name] = file
      }
    }
    for await (const { key, shape, data } of contents.tensors) {
      const expected = shapes[key]
      if (!expected) throw new Error(`write checkpoint: the config calls for no weight '${key}'`)
      if (expected.join() !== shape.join()) {
        throw new Error(`write checkpoint: '${key}' should be [${expected.join(', ')}], got [${shape.join(', ')}]`)
      }
      await writerOf.get(checkpointName(config.family, key))!.write(checkpointName(config.family, key), data)
    }
    for (const writer of writers) await writer.finish()
  } finally {
    for (const writer of writers) await writer.abort()
  }
  if (shards.length === 1) return
  const total = shards.reduce((sum, shard) => sum + shard.bytes, 0)
  const index = { metadata: { total_size: total }, weight_map: weightMap }
  await writeFile(join(folder, 'model.safetensors.index.json'), `${JSON.stringify(index, null, 2)}\n`)
}

/** Fills shards in order; a tensor larger than a shard gets one of its own. */
function planShards(
  shapes: Record<string, number[]>,
  width: number,
  maxBytes: number,
): { shapes: Record<string, number[]>; bytes: number }[] {
  const shards: { shapes: Record<string, number[]>; bytes: number }[] = []
  for (const [name, shape] of Object.entries(shapes)) {
    const bytes = shape.reduce((product, dim) => product * dim, width)
    let shard = shards.at(-1)
    if (!shard || (shard.bytes > 0 && shard.bytes + bytes > maxBytes)) shards.push((shard = { shapes: {}, bytes: 0 }))
    shard.shapes[name] = shape
    shard.bytes += bytes
  }
  return shards
}
