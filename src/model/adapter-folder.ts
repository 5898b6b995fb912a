import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { recoverFolder, writeFolder } from '../file/write-folder.js'
import type { FolderKind } from '../file/write-folder.js'
import { adapterShapes, linearModules } from './adapter.js'
import type { Adapter, AdapterSource } from './adapter.js'
import { formatAdapterConfig, parseAdapterConfig } from './adapter-config.js'
import type { ModelConfig } from './config.js'
import { openSafetensors } from './safetensors.js'
import type { TensorSource } from './safetensors.js'
import { createSafetensors } from './safetensors-writer.js'
import { firstOf, readTensors, shapeProblems } from './stored-tensors.js'
import type { Stored } from './stored-tensors.js'
import { valueCount } from './weight-names.js'
import { downloadWeights } from './weights.js'

const CONFIG = 'adapter_config.json'
const VALUES = 'adapter_model.safetensors'

const KIND: FolderKind = {
  operation: 'write adapter',
  what: 'LoRA adapter',
  marker: CONFIG,
  owns: (name) => name === CONFIG || name === VALUES,
}

/**
 * The name or folder of the model that the adapter in a folder is of; undefined for what is no folder of an adapter alone.
 * @throws {Error} where the adapter does not say it
 */
export async function baseOf(folder: string): Promise<string | undefined> {
  await recoverFolder(folder)
  const has = async (name: string): Promise<boolean> =>
    (await stat(join(folder, name)).catch(() => undefined)) !== undefined
  if (!(await has(CONFIG)) || (await has('config.json'))) return undefined
  const base = (await readJson(folder)) as { base_model_name_or_path?: unknown } | null
  if (typeof base?.base_model_name_or_path === 'string' && base.base_model_name_or_path !== '')
    return base.base_model_name_or_path
  throw new Error(`adapter: ${folder} does not say what model it is of; load that model with \`adapter: '${folder}'\``)
}

/**
 * Opens an adapter folder in PEFT's layout and checks that it fits the model.
 * @returns also the name or folder of the base model that it was trained on, where it says so
 * @throws {Error} where it is damaged, asks for what is not supported, or is of another model
 */
export async function readAdapter(
  folder: string,
  config: ModelConfig,
): Promise<AdapterSource & { base: string | undefined }> {
  await recoverFolder(folder)
  const { settings, base } = parseAdapterConfig(config, await readJson(folder), join(folder, CONFIG))
  const shapes = adapterShapes(config, settings)
  const names = peftNames(config, Object.keys(shapes))
  const stored: Stored = { open: () => openValues(folder), name: (key) => names[key]! }
  const source = await stored.open()
  try {
    const known = new Set(Object.values(names))
    const placeless = [...source.shapes.keys()].filter((name) => !known.has(name))
    const problems = [...shapeProblems(shapes, stored, source), ...placeless.map((name) => `'${name}' has no place`)]
    if (problems.length > 0) throw misfit(folder, base, problems)
  } finally {
    await source.close()
  }
  return { settings, shapes, parameters: valueCount(shapes), tensors: () => readTensors(shapes, stored), base }
}

/**
 * Writes an adapter that PEFT can load; the folder appears when it is complete.
 * @param base Name or folder of the model that it is of.
 * @throws {Error} where the folder holds something else, or an adapter and `overwrite` is not said
 */
export async function writeAdapter(
  folder: string,
  config: ModelConfig,
  adapter: Adapter,
  { base, dtype, overwrite }: { base: string; dtype: 'float32' | 'bfloat16'; overwrite: boolean },
): Promise<void> {
  const shapes = adapterShapes(config, adapter)
  const names = peftNames(config, Object.keys(shapes))
  await writeFolder(folder, KIND, { overwrite }, async (aside) => {
    await writeFile(join(aside, CONFIG), formatAdapterConfig(adapter, base))
    const named = Object.entries(shapes).map(([key, shape]) => [names[key]!, shape] as const)
    const writer = await createSafetensors(join(aside, VALUES), Object.fromEntries(named), dtype)
    try {
      for await (const { key, data } of downloadWeights(adapter.weights)) await writer.write(names[key]!, data)
      await writer.finish()
    } finally {
      await writer.abort()
    }
  })
}

/** PEFT's name of each matrix. */
function peftNames(config: ModelConfig, keys: readonly string[]): Record<string, string> {
  const modules = linearModules(config)
  const name = (key: string): string => {
    const dot = key.lastIndexOf('.')
    return `base_model.model.${modules[key.slice(0, dot)]}.${key.endsWith('A') ? 'lora_A' : 'lora_B'}.weight`
  }
  return Object.fromEntries(keys.map((key) => [key, name(key)]))
}

async function readJson(folder: string): Promise<unknown> {
  const path = join(folder, CONFIG)
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new Error(`adapter: cannot read ${path}; an adapter folder needs ${CONFIG} and ${VALUES}`, { cause: error })
  })
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Error(`adapter: ${path} is not JSON (${(error as Error).message})`, { cause: error })
  }
}

async function openValues(folder: string): Promise<TensorSource> {
  const path = join(folder, VALUES)
  if (await stat(path).catch(() => undefined)) return openSafetensors(path)
  const pickled = await stat(join(folder, 'adapter_model.bin')).catch(() => undefined)
  throw new Error(
    pickled
      ? `adapter: ${folder} holds adapter_model.bin, which can run code; save it as safetensors in PEFT`
      : `adapter: there is no ${path}; an adapter folder needs ${CONFIG} and ${VALUES}`,
  )
}

const misfit = (folder: string, base: string | undefined, problems: readonly string[]): Error =>
  new Error(
    `adapter: ${folder} does not fit this model: ${firstOf(problems)}; ` +
      `it was made for ${base === undefined ? 'another model' : `'${base}'`}: load that, or another adapter`,
  )
