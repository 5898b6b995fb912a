import { constants } from 'node:fs'
import { access, copyFile, mkdir, readFile, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { parseModelConfig } from './config.js'
import type { ModelConfig } from './config.js'
import { openSafetensors, writeSafetensors } from './safetensors.js'
import type { SafetensorsFile } from './safetensors.js'
import { weightSpecs } from './weight-names.js'

const SINGLE = 'model.safetensors'
const INDEX = 'model.safetensors.index.json'

/** Reads config.json of a model folder. */
export async function readModelConfig(folder: string): Promise<ModelConfig> {
  return parseModelConfig(await readJson(folder, 'config.json'), join(folder, 'config.json'))
}

/**
 * Gives the weights of a model folder (one safetensors file or several) one after another, in a fixed order.
 * Throws when a file or a tensor is missing, or has another shape than the config says.
 */
export async function* readWeightFiles(
  folder: string,
  config: ModelConfig,
): AsyncGenerator<{ key: string; shape: number[]; data: Float32Array }> {
  const files = new Map<string, SafetensorsFile>()
  try {
    const fileOf = await weightFiles(folder)
    for (const { key, name, shape } of weightSpecs(config)) {
      const fileName = fileOf(name)
      let file = files.get(fileName)
      if (!file) files.set(fileName, (file = await openWeights(folder, fileName)))
      const found = file.shape(name)
      if (!found) throw new Error(`checkpoint ${folder}: weight ${name} is missing from ${fileName}; is it complete?`)
      if (found.join() !== shape.join()) {
        throw new Error(
          `checkpoint ${folder}: weight ${name} has shape [${found.join(', ')}], config.json asks for [${shape.join(', ')}]`,
        )
      }
      yield { key, shape, data: await file.read(name) }
    }
  } finally {
    for (const file of files.values()) await file.close()
  }
}

/**
 * Writes a model folder that transformers loads: config and tokenizer files copied from `source`, weights anew.
 * The folder appears when it is complete; an earlier one of the same name is replaced only then.
 * @param format Default float32.
 */
export async function writeCheckpoint(
  folder: string,
  source: string,
  config: ModelConfig,
  weight: (key: string) => Promise<Float32Array>,
  format: 'F32' | 'BF16' = 'F32',
): Promise<void> {
  const aside = join(dirname(folder), `.${basename(folder)}.${process.pid}.part`)
  await mkdir(aside, { recursive: true })
  try {
    for (const file of await readdir(source)) {
      if (/\.(json|jinja|txt|model)$/.test(file) && file !== INDEX) await copyFile(join(source, file), join(aside, file))
    }
    const tensors = weightSpecs(config).map(({ key, name, shape }) => ({ name, shape, data: () => weight(key) }))
    await writeSafetensors(join(aside, SINGLE), tensors, format)
    await replaceFolder(aside, folder)
  } catch (error) {
    await rm(aside, { recursive: true, force: true })
    throw error
  }
}

async function replaceFolder(from: string, to: string): Promise<void> {
  const old = `${from}.old`
  const exists = await access(to, constants.F_OK).then(
    () => true,
    () => false,
  )
  if (exists) await rename(to, old)
  await rename(from, to)
  await rm(old, { recursive: true, force: true })
}

/** Which file holds a tensor. */
async function weightFiles(folder: string): Promise<(name: string) => string> {
  const files = await readdir(folder).catch(() => {
    throw new Error(`checkpoint: there is no folder ${folder}; give a model folder or a name of the Hugging Face hub`)
  })
  if (files.includes(SINGLE)) return () => SINGLE
  if (!files.includes(INDEX)) {
    throw new Error(`checkpoint ${folder}: neither ${SINGLE} nor ${INDEX} is there; only safetensors checkpoints are read`)
  }
  const { weight_map: map } = (await readJson(folder, INDEX)) as { weight_map: Record<string, string> }
  return (name) => {
    const file = map[name]
    if (!file) throw new Error(`checkpoint ${folder}: ${INDEX} does not list weight ${name}; is it complete?`)
    return file
  }
}

async function openWeights(folder: string, file: string): Promise<SafetensorsFile> {
  try {
    return await openSafetensors(join(folder, file))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new Error(`checkpoint ${folder}: ${file} is missing; fetch it again`, { cause: error })
  }
}

/** Reads a JSON file of a model folder. */
export async function readJson(folder: string, file: string): Promise<unknown> {
  const path = join(folder, file)
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new Error(`model folder ${folder}: ${file} is missing; give a folder with config.json and tokenizer.json`, { cause: error })
  })
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Error(`model folder ${folder}: ${file} is no JSON; fetch it again`, { cause: error })
  }
}
