import { inspect } from 'node:util'

export type MimeBundle = Record<string, unknown>

/** How a package shows its values: a bundle, or nothing for what it doesn't know. */
type Formatter = (value: unknown) => Promise<MimeBundle | undefined> | MimeBundle | undefined

const DISPLAY = Symbol.for('Jupyter.display')
/** Where packages register formatters: `globalThis[Symbol.for('Jupyter.formatters')]`. */
const FORMATTERS = Symbol.for('Jupyter.formatters')

export const formatters: Formatter[] =
  ((globalThis as Record<symbol, unknown>)[FORMATTERS] as Formatter[] | undefined) ?? []
;(globalThis as Record<symbol, unknown>)[FORMATTERS] = formatters

/** How a value shows itself: its `Symbol.for('Jupyter.display')`, a package's formatter, `toHtml`, or as Node prints it. */
export async function mimeBundle(value: unknown): Promise<MimeBundle> {
  if ((typeof value === 'object' && value !== null) || typeof value === 'function') {
    const self = value as Record<string | symbol, unknown>
    if (typeof self[DISPLAY] === 'function') {
      const bundle: unknown = await (self[DISPLAY] as () => unknown).call(value)
      if (typeof bundle === 'object' && bundle !== null) return wireBundle({ 'text/plain': plain(value), ...bundle })
    }
    for (const format of formatters) {
      const bundle = await format(value)
      if (bundle) return wireBundle(bundle)
    }
    const html = typeof self['toHtml'] === 'function' ? self['toHtml'] : self['toHTML']
    if (typeof html === 'function' && typeof value === 'object') {
      const text: unknown = await (html as () => unknown).call(value)
      if (typeof text === 'string') return { 'text/plain': plain(value), 'text/html': text }
    }
  }
  return { 'text/plain': plain(value) }
}

export const plain = (value: unknown): string =>
  inspect(value, { depth: 4, maxArrayLength: 100, maxStringLength: 10_000 })

const IS_JSON = /^application\/json$|\+json$/

/**
 * A bundle as notebooks can hold it: bytes as base64, and text for all that is not JSON.
 * @throws {TypeError} where a MIME type holds anything else: a notebook with it could not be saved
 */
export function wireBundle(bundle: unknown): MimeBundle {
  if (typeof bundle !== 'object' || bundle === null)
    throw new TypeError(`display: a bundle must be an object of MIME types, got ${typeof bundle}`)
  const entries = Object.entries(bundle).map(([type, data]: [string, unknown]): [string, unknown] => {
    if (data instanceof Uint8Array) return [type, Buffer.from(data).toString('base64')]
    if (typeof data === 'function' || typeof data === 'symbol')
      throw new TypeError(`display: ${type} must be data, got a ${typeof data}`)
    const isText = typeof data === 'string' || (Array.isArray(data) && data.every((line) => typeof line === 'string'))
    if (data !== undefined && !isText && !IS_JSON.test(type))
      throw new TypeError(
        `display: ${type} must be a string, got ${data === null ? 'null' : typeof data}; data goes under application/json`,
      )
    return [type, data]
  })
  return Object.fromEntries(entries)
}
