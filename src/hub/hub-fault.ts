import { writeError } from '../file/write-error.js'
import { isNetworkError } from './fetch-file.js'
import type { HubRequest } from './hub-download.js'

/** What one gives in place of a name of the hub. */
const HERE = { model: 'folder', dataset: 'file' }

/** What went wrong with a download, in words for the person who asked for it. @param subject Begins the message. */
export function hubFault(subject: string, request: HubRequest, error: unknown): Error {
  const { kind, name, hubUrl, cacheDir } = request
  const fault = (what: string): Error => new Error(`${subject}: ${what}`, { cause: error })
  const { statusCode: status } = error as { statusCode?: number }
  if (status === 401 || status === 403) {
    const page = kind === 'model' ? name : `datasets/${name}`
    return fault(
      `there is no such ${HERE[kind]} here, and ${hubUrl} refuses access to the ${kind} ${name} (status ${status}): there ` +
        `is none, or it is private or gated; then accept its terms at ${hubUrl}/${page} and give a token, or set HF_TOKEN`,
    )
  }
  if (status === 404) return fault(`neither a ${HERE[kind]} here nor a ${kind}, in this revision, at ${hubUrl}`)
  if (status !== undefined) return fault(`${hubUrl} answered with status ${status}; try again later`)
  if (isNetworkError(error)) {
    const { code } = (error as { cause: { code: unknown } }).cause
    return fault(
      `there is no such ${HERE[kind]} here, so it was taken for the ${kind} ${name} of the hub; ` +
        `${hubUrl} cannot be reached or cut the transfer (${String(code)}); look at the network and call again, what has ` +
        `arrived is kept; or give a ${HERE[kind]} that is here`,
    )
  }
  return fault(writeError(cacheDir, error).message)
}
