import { cellText } from './table-cells.js'
import { cutWithCount } from './cut.js'
import { html } from './html.js'
import type { Html, Style } from './html.js'

/** Characters of a field that show. */
const LONGEST = 2000

/** One record: its fields below each other, in the colours of the page. */
export function fieldsHtml(fields: Record<string, unknown>, style: Style): Html {
  const rows = present(fields).map(
    ([name, value]) =>
      html`<tr><th${style('padding: 2px 10px; border: none; text-align: left; vertical-align: top; white-space: nowrap;')}>${name}</th><td${style('padding: 2px 10px; border: none; text-align: left; white-space: pre-wrap; overflow-wrap: anywhere;')}>${cutWithCount(cellText(value), LONGEST)}</td></tr>`,
  )
  return html`<table${style('border-collapse: collapse;')}><tbody>${rows}</tbody></table>`
}

/** The same as text, for a terminal. */
export function fieldsText(fields: Record<string, unknown>): string {
  const shown = present(fields)
  const width = shown.reduce((widest, [name]) => Math.max(widest, name.length), 0)
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${cellText(value)}`).join('\n')
}

const present = (fields: Record<string, unknown>): [string, unknown][] =>
  Object.entries(fields).filter(([, value]) => value !== undefined)
