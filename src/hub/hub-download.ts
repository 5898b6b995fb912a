import { mkdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ListFileEntry } from '@huggingface/hub'
import { checkDiskSpace } from '../file/disk-space.js'
import { withProgress } from '../host/progress.js'
import { fetchFile, partialPath } from './fetch-file.js'
import type { RemoteFile, Send } from './fetch-file.js'
import { cachedFile, cachePlaces, linkBlob, writeRef } from './hub-cache.js'
import type { CachePlaces, HubKind } from './hub-cache.js'

/** How far a download is. */
export interface DownloadProgress {
  /** The file that is being fetched. */
  file: string
  /** Bytes on the disk, of all files. */
  bytes: number
  /** Bytes of all files. */
  totalBytes: number
}

/** What is asked of a hub, and where it goes. */
export interface HubRequest {
  kind: HubKind
  /** `owner/name`. */
  name: string
  hubUrl: string
  revision: string
  cacheDir: string
  token?: string
  signal?: AbortSignal
  progress?: boolean
  onProgress?: (progress: DownloadProgress) => void
}

/** A repository of the hub at one commit. */
export interface Repository {
  kind: HubKind
  name: string
  hubUrl: string
  revision: string
  commit: string
  places: CachePlaces
  send: Send
  /** Files of one of its folders by their paths. */
  files: ReadonlyMap<string, HubFile>
}

export interface HubFile extends RemoteFile {
  /** Its path in the repository. */
  name: string
}

const PROGRESS_EVERY_MS = 100

/** Asks the hub which commit the revision is, and which files one of its folders holds. */
export async function openRepository(request: HubRequest, places: CachePlaces, folder = '.'): Promise<Repository> {
  const { datasetInfo, listFiles, modelInfo } = await import('@huggingface/hub')
  const { kind, name, hubUrl, revision } = request
  const send = authorized(request)
  const asked = { name, hubUrl, revision, additionalFields: ['sha' as const], fetch: send }
  const { sha: commit } = await (kind === 'model' ? modelInfo(asked) : datasetInfo(asked))
  if (!/^[0-9a-f]{40}$/.test(commit)) throw new Error(`the hub names commit '${commit}', which is none`)
  const files = new Map<string, HubFile>()
  const of = { repo: { type: kind, name }, revision: commit, hubUrl, fetch: send }
  for await (const entry of listFiles({ ...of, ...(folder !== '.' && { path: folder }) })) {
    // A name of the listing becomes a path here: it must not lead out of its folder.
    const isInside =
      dirname(entry.path) === folder && /^\w[\w.-]*$/.test(entry.path.slice(entry.path.lastIndexOf('/') + 1))
    if (entry.type === 'file' && isInside) files.set(entry.path, hubFile(request, commit, entry))
  }
  return { kind, name, hubUrl, revision, commit, places, send, files }
}

/** fetch with the token, for requests to the hub itself; after a redirect to another host fetch drops it. */
function authorized({ hubUrl, token, signal }: HubRequest): typeof fetch {
  const { origin } = new URL(hubUrl)
  return async (input, init) => {
    const headers = new Headers(init?.headers)
    const url = new URL(input instanceof Request ? input.url : input)
    if (token !== undefined && url.origin === origin) headers.set('authorization', `Bearer ${token}`)
    return fetch(input, { ...init, headers, ...(signal ? { signal } : {}) })
  }
}

function hubFile({ kind, hubUrl, name }: HubRequest, commit: string, entry: ListFileEntry): HubFile {
  const path = kind === 'model' ? name : `datasets/${name}`
  const hex = entry.lfs?.oid ?? entry.oid ?? ''
  return {
    name: entry.path,
    url: `${hubUrl}/${path}/resolve/${commit}/${entry.path.split('/').map(encodeURIComponent).join('/')}`,
    size: entry.lfs?.size ?? entry.size,
    checksum: { algorithm: entry.lfs ? 'sha256' : 'git-sha1', hex },
  }
}

/** Fetches files that are not in the cache yet, with a bar, and remembers that the revision has them. */
export async function fetchAll(repository: Repository, files: readonly HubFile[], request: HubRequest): Promise<void> {
  // Its free space is asked for.
  await mkdir(request.cacheDir, { recursive: true })
  const missing = await missingBytes(repository.places, files)
  await checkDiskSpace(request.cacheDir, missing)
  const { onProgress, progress = onProgress === undefined } = request
  const total = files.reduce((sum, { size }) => sum + size, 0)
  await withProgress({ title: `downloading ${request.name}`, unit: 'bytes', total, progress }, (report) => {
    report(total - missing, { doneBefore: total - missing })
    return fetchFiles(repository, files, (fetched) => {
      report(fetched.bytes, { note: fetched.file })
      onProgress?.(fetched)
    })
  })
  await writeRef(repository.places, repository.revision, repository.commit)
}

/** The same without a bar. */
export async function fetchFiles(
  { places, commit, send }: Repository,
  files: readonly HubFile[],
  onProgress: (progress: DownloadProgress) => void = () => {},
): Promise<void> {
  await mkdir(places.blobs, { recursive: true })
  const totalBytes = files.reduce((sum, { size }) => sum + size, 0)
  let before = 0
  let shownAt = 0
  for (const file of files) {
    const { hex } = file.checksum
    if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hex)) throw new Error(`the hub lists ${file.name} without a checksum`)
    const blob = places.blob(hex)
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

/**
 * One file of a repository: of the cache, or else fetched; whatever else the repository has is left where it is.
 * @param absent Says what is there instead.
 * @returns where it is
 */
export async function fetchOne(
  request: HubRequest,
  path: string,
  absent: (files: Repository['files']) => string,
): Promise<string> {
  const { kind, name, revision, cacheDir } = request
  const places = cachePlaces(cacheDir, kind, name)
  const cached = await cachedFile(places, revision, path)
  if (cached !== undefined) return cached
  const repository = await openRepository(request, places, dirname(path))
  const file = repository.files.get(path)
  if (!file) throw new Error(`the ${kind} has no ${path}${absent(repository.files)}`)
  await fetchAll(repository, [file], request)
  return join(places.snapshot(repository.commit), path)
}
