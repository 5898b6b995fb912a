import { z } from 'zod'
import { parseOptions } from '../schema/parse-options.js'
import { html as template, vouchedHtml } from './html.js'
import type { View } from './bundle.js'
import { svgToPng } from '../plot/static-figure.js'

/**
 * HTML for `display`, or for a cell to end with. **It is shown as it is**: nothing is taken out of it, and scripts
 * run. Give only HTML that you trust. For texts that are not yours use it as a template, which escapes what is put
 * in: zs.html`<b>${trajectory.answer}</b>`.
 * @example
 * await zs.display(zs.html('<b>done</b>'))
 */
export function html(markup: string | TemplateStringsArray, ...values: unknown[]): View {
  if (!Array.isArray(markup)) checkText('html', 'markup', markup)
  const made = typeof markup === 'string' ? vouchedHtml(markup) : template(markup, ...values)
  return { toView: () => ({ 'text/html': made, 'text/plain': String(made) }) }
}

/**
 * Markdown for `display`. JupyterLab shows the HTML in it as well, so what holds for `html` holds here: only for texts
 * that you trust.
 * @example
 * await zs.display(zs.markdown('**EM** rose from `0.16` to `0.89`'))
 */
export function markdown(text: string): View {
  checkText('markdown', 'text', text)
  return { toView: () => ({ 'text/markdown': text, 'text/plain': text }) }
}

/** Not all cells are type-checked, and a value read from a file may be anything. */
function checkText(operation: string, name: string, text: unknown): void {
  parseOptions(operation, z.object({ [name]: z.string() }), { [name]: text })
}

const PNG_SIGNATURE = '89504e470d0a1a0a'

/**
 * A PNG for `display`.
 * @param bytes the content of a PNG file
 * @throws {Error} where the bytes are no PNG
 * @example
 * import { readFile } from 'node:fs/promises'
 * await zs.display(zs.png(await readFile('curve.png')))
 */
export function png(bytes: Uint8Array): View {
  parseOptions('png', z.object({ bytes: z.instanceof(Uint8Array, { error: 'must be the bytes of a PNG file' }) }), {
    bytes,
  })
  const buffer = Buffer.from(bytes)
  if (buffer.subarray(0, 8).toString('hex') !== PNG_SIGNATURE)
    throw new Error(`png: the bytes must be a PNG file, got ${buffer.length} bytes that do not begin like one`)
  const size = buffer.length >= 24 ? `, ${buffer.readUInt32BE(16)} × ${buffer.readUInt32BE(20)}` : ''
  return { toView: () => ({ 'image/png': buffer.toString('base64'), 'text/plain': `PNG picture${size}` }) }
}

/**
 * An SVG drawing for `display`. JupyterLab shows it as a picture, so that scripts in it do not run; in static outputs it
 * is a PNG, without the files and addresses that it names.
 * @throws {Error} where the text holds no `svg` element
 * @example
 * await zs.display(zs.svg('<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><circle r="20" /></svg>'))
 */
export function svg(text: string): View {
  checkText('svg', 'text', text)
  if (!/<([\w-]+:)?svg[\s>]/.test(text))
    throw new Error(`svg: the text must hold an svg element, got ${text.slice(0, 60)}`)
  return {
    async toView(isStatic) {
      if (isStatic) return { 'image/png': Buffer.from(await svgToPng(text)).toString('base64') }
      return { 'image/svg+xml': text, 'text/plain': 'SVG drawing' }
    },
  }
}
