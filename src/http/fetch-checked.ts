import { limitedFetch } from './fetch.js'
import type { FetchLimits, FetchRequest } from './fetch.js'
import { excerpt, RequestFailure, statusFailure } from './request-failure.js'

/**
 * A successful answer that is no page of HTML: behind a proxy that fails, one may come with status 200.
 * @throws {RequestFailure} for any other; an error of the network, which `networkFailure` reads
 */
export async function fetchChecked(url: string, request: FetchRequest, limits: FetchLimits): Promise<Response> {
  const response = await limitedFetch(url, request, limits)
  const isPage = response.headers.get('content-type')?.includes('text/html') ?? false
  if (response.ok && !isPage) return response
  const body = hide(await response.text().catch(() => ''), request.secret)
  if (response.ok) throw new RequestFailure(`answered with a page of HTML: ${excerpt(body)}`, { kind: 'fault' })
  throw statusFailure(response.status, body, response.headers)
}

/** The value of a successful answer in JSON. @throws as `fetchChecked` does */
export async function fetchJson(url: string, request: FetchRequest, limits: FetchLimits): Promise<unknown> {
  const text = await (await fetchChecked(url, request, limits)).text()
  try {
    return JSON.parse(text)
  } catch {
    throw new RequestFailure(`answered with something that is no JSON: ${excerpt(hide(text, request.secret))}`, {
      kind: 'fault',
    })
  }
}

/** A text without a secret; to be called before the text is cut. */
export const hide = (text: string, secret: string | undefined): string =>
  secret ? text.replaceAll(secret, '[key]') : text
