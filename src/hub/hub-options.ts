import { z } from 'zod'
import { aFunction, anAbortSignal } from '../schema/parse-options.js'
import { hubToken } from '../schema/settings.js'
import type { DownloadProgress, HubRequest } from './hub-download.js'

/** How something is downloaded from the hub. */
export interface HubOptions {
  /** Folder of the cache. Default: the one that Python's libraries use (`HF_HUB_CACHE`, `HF_HOME`, or in the home folder). */
  cacheDir?: string
  /** Address of the hub. Default https://huggingface.co. */
  hubUrl?: string
  /** Branch, tag or commit; default 'main'. */
  revision?: string
  /** Needed for what is private or gated; sent to the hub only. Default: the environment's `HF_TOKEN`. */
  token?: string
  /** Told how far the download is. */
  onProgress?: (progress: DownloadProgress) => void
  /** Shows bytes and the time left. Default: true, unless `onProgress` is given. */
  progress?: boolean
  /** Stops the download; what has arrived is kept for the next call. */
  signal?: AbortSignal
}

export const hubShape = {
  cacheDir: z.string().min(1).exactOptional(),
  hubUrl: z.url('must be an address such as https://huggingface.co').exactOptional(),
  revision: z.string().exactOptional(),
  token: z.string().exactOptional(),
  onProgress: aFunction<NonNullable<HubOptions['onProgress']>>().exactOptional(),
  progress: z.boolean().exactOptional(),
  signal: anAbortSignal().exactOptional(),
}

const REVISION = /^\w[\w.-]*(\/\w[\w.-]*)*$/

/**
 * What is asked of the hub, with defaults.
 * @param operation Begins the errors.
 */
export async function hubRequest(
  operation: string,
  what: Pick<HubRequest, 'kind' | 'name'>,
  options: HubOptions,
): Promise<HubRequest> {
  const { revision = 'main', token = hubToken() } = options
  if (!REVISION.test(revision))
    throw new Error(`${operation}: revision must be a branch, tag or commit, got '${revision}'`)
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    throw new Error(
      `${operation}: the token (or HF_TOKEN) must be one word of plain characters; was more copied than the token?`,
    )
  }
  const hub = await import('@huggingface/hub')
  const hubUrl = (options.hubUrl ?? hub.HUB_URL).replace(/\/+$/, '')
  const cacheDir = options.cacheDir ?? hub.getHFHubCachePath()
  return { ...options, ...what, hubUrl, revision, cacheDir, ...(token !== undefined && { token }) }
}
