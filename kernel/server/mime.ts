import { inspect } from 'node:util'

export type MimeBundle = Record<string, unknown>

/** A package's own way to show its values: a bundle, or nothing for what it doesn't know. */
type Formatter = (value: unknown) => Promise<MimeBundle | undefined> | MimeBundle | undefined

const DISPLAY = Symbol.for('Jupyter.display')
/** Where packages register formatters: `globalThis[Symbol.for('Jupyter.formatters')]`. */
const FORMATTERS = Symbol.for('Jupyter.formatters')

export const formatters: Formatter[] =
  ((globalThis as Record<symbol, unknown>)[FORMATTERS] as Formatter[] | undefined) ?? []
;(globalThis as Record<symbol, unknown>)[FORMATTERS] = formatters

/** How a value shows itself: its own `Symbol.for('Jupyter.display')`, a package's formatter, `toHtml`, or as Node prints it. */
export async function mimeBundle(value: unknown): Promise<MimeBundle> {
  if ((typeof value === 'object' && value !== null) || typeof value === 'function') {
    const self = value as Record<string | symbol, unknown>
    if (typeof self[DISPLAY] === 'function') {
      const own: unknown = await (self[DISPLAY] as () => unknown).call(value)
      if (typeof own === 'object' && own !== null) return wire({ 'text/plain': plain(value), ...own })
    }
    for (const format of formatters) {
      const bundle = await format(value)
      if (bundle) return wire(bundle)
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

/** As JSON can hold it: bytes as base64. */
export function wire(bundle: MimeBundle): MimeBundle {
  return Object.fromEntries(
    Object.entries(bundle).map(([type, data]) => [
      type,
      data instanceof Uint8Array ? Buffer.from(data).toString('base64') : data,
    ]),
  )
}
