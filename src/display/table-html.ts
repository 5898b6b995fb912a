import { cut } from './cut.js'
import { html } from './html.js'
import type { Html, Style } from './html.js'
import type { TableCells } from './table-cells.js'

const LONGEST = 80
/** Not broken over two lines, where the page is wide enough. */
const SHORT = 24
/** Letters that fit beside each other on a page of a notebook, and those that the padding of a cell takes. */
const WIDE = 110
const PADDING = 3
/** Letters that fit only if they are smaller and closer to each other. */
const CROWDED = 220

/** A table as HTML, in the colours of the page: numbers to the right, long texts cut, whole in the tooltip. */
export function tableHtml({ columns, alignRight, index, rows, bold, size }: TableCells, style: Style): Html {
  const width = widthOf(columns, rows)
  const fits = width <= WIDE
  const isCrowded = width > CROWDED
  const side = fits ? 8 : isCrowded ? 2 : 5
  const cell = (tag: 'th' | 'td', text: string, right: boolean, isBold = false): Html => {
    const isWhole = right ? !/[ \u2013]/.test(text) : text.length <= SHORT && fits
    const whole = tag === 'td' && isWhole ? ' white-space: nowrap;' : ''
    const css = style(`padding: 2px ${side}px; border: none;${whole} text-align: ${right ? 'right' : 'left'};`)
    const tooltip = text.length <= LONGEST ? '' : html` title="${cut(text, 1000)}"`
    const shown = cut(text, LONGEST)
    return tag === 'th'
      ? html`<th${css}${tooltip}>${breakable(shown)}</th>`
      : html`<td${css}${tooltip}>${isBold ? html`<b>${shown}</b>` : shown}</td>`
  }
  const head = columns.map((name, i) => cell('th', name, alignRight[i]!))
  const body = rows.map((row, i) => {
    const cells = row.map((text, j) => cell('td', text, alignRight[j]!, bold?.[i]?.[j]))
    return html`<tr>
      ${index ? cell('th', index[i]!, true) : ''}${cells}
    </tr>`
  })
  const corner = index ? cell('th', '', true) : ''
  const counts = size === undefined ? '' : html`<div>${size}</div>`
  const smaller = isCrowded ? ' font-size: 0.8em;' : ''
  const table = html`<table${style(`border-collapse: collapse;${smaller}`)}><thead><tr>${corner}${head}</tr></thead><tbody>${body}</tbody></table>`
  // What is wider than the page scrolls; the counts stay where they are.
  return html`<div${style('overflow-x: auto;')}>${table}</div>${counts}`
}

/** Letters of a row in which no text breaks but the long ones. */
const widthOf = (columns: readonly string[], rows: readonly string[][]): number =>
  columns.reduce((sum, name, i) => {
    const longest = Math.max(
      0,
      ...rows.map((row) => Math.min(SHORT, row[i]!.length)),
      ...words(name).map(({ length }) => length),
    )
    return sum + longest + PADDING
  }, 0)

/** The name of a column may break between its words: `tokensPer|Trajectory`. */
const breakable = (name: string): Html[] =>
  words(name).map((word, i) => (i === 0 ? html`${word}` : html`<wbr />${word}`))

const words = (name: string): string[] => name.split(/(?<=\p{Ll})(?=\p{Lu})/u)

const LONGEST_PLAIN = 40

/** The same as text in columns, for a terminal. */
export function tableText({ columns, alignRight, index, rows, size }: TableCells): string {
  const line = (text: string): string => cut(text.replace(/\s+/g, ' '), LONGEST_PLAIN)
  const right = index ? [true, ...alignRight] : alignRight
  const all = [columns, ...rows].map((row, i) => (index ? [i === 0 ? '' : index[i - 1]!, ...row] : row).map(line))
  const widths = right.map((_, column) => all.reduce((width, row) => Math.max(width, row[column]!.length), 0))
  const lines = all.map((row) =>
    row
      .map((text, i) => (right[i] ? text.padStart(widths[i]!) : text.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd(),
  )
  return [...lines, ...(size === undefined ? [] : [size])].join('\n')
}
