import type { Calibration } from '../schema/calibration.js'
import { cut } from './cut.js'
import { html } from './html.js'
import type { Html, Style } from './html.js'
import { count, decimals } from './number-text.js'
import { hasFields, isRecord } from './shape.js'
import { tableCells } from './table-cells.js'
import type { TableCells } from './table-cells.js'
import { tableHtml, tableText } from './table-html.js'
import { recordsView } from './table-view.js'

// A calibration that was read from a file may hold anything: what is no number shows as it is, or not at all.

/** `0.930 (0.867 to 0.966)`: a share with its interval. */
const share = (value: unknown): string => {
  if (!isRecord(value) || typeof value['share'] !== 'number') return '–'
  const { share, low, high } = value
  return `${decimals(share, 3)} (${decimals(low, 3)} to ${decimals(high, 3)})`
}
const number = (value: unknown, places: number): string => (typeof value === 'number' ? decimals(value, places) : '–')
const fields = (value: unknown): Record<string, unknown> => (isRecord(value) ? value : {})

/** Each measure's name, and how it reads of one kind of documents. */
const MEASURES: [name: string, read: (measures: Record<string, unknown>, style: Record<string, unknown>) => string][] =
  [
    ['searches (failed)', ({ searches, failed }) => `${count(searches)}${failed ? ` (${count(failed)})` : ''}`],
    ['searches that hold an answer', ({ holdsAnswer }) => share(holdsAnswer)],
    ['… that of another question', ({ holdsAnswerByChance }) => share(holdsAnswerByChance)],
    ['documents that hold an answer', ({ documentHoldsAnswer }) => share(documentHoldsAnswer)],
    ['documents read, of those asked for', ({ parsed }) => share(parsed)],
    [
      'words of a document',
      ({ words }) => `${number(fields(words)['mean'], 1)} ± ${number(fields(words)['deviation'], 1)}`,
    ],
    ['different words in 500', ({ distinct1 }) => number(distinct1, 3)],
    ['different pairs of words in 500', ({ distinct2 }) => number(distinct2, 3)],
    ['repeated documents', ({ repeated }) => share(repeated)],
    ['resemblance within a search', ({ resemblance }) => number(resemblance, 3)],
    [
      'divergence of trigrams (by chance), bits',
      (_, { divergence, divergenceByChance }) =>
        divergence === undefined ? '' : `${number(divergence, 3)} (${number(divergenceByChance, 3)})`,
    ],
    ['told from real by a classifier', (_, { told }) => (told === undefined ? '' : `${share(told)}${pValue(told)}`)],
    [
      'seconds: median, 95 % below',
      ({ seconds }) => `${number(fields(seconds)['median'], 3)}, ${number(fields(seconds)['p95'], 3)}`,
    ],
    [
      'tokens read, written',
      ({ tokens }) => (isRecord(tokens) ? `${number(tokens['prompt'], 0)}, ${number(tokens['completion'], 0)}` : ''),
    ],
    ['cost of a search', ({ cost }) => (typeof cost === 'number' ? cost.toPrecision(3) : '')],
  ]

function pValue(told: unknown): string {
  const value = fields(told)['pValue']
  if (typeof value !== 'number') return ''
  return value < 0.001 ? ', p < 0.001' : `, p ${decimals(value, 3)}`
}

function cells({ useful, noisy, real, style }: Calibration): TableCells {
  const kinds = { useful, noisy, real }
  const rows = MEASURES.map(([measure, read]) => ({
    measure,
    ...Object.fromEntries(
      Object.entries(kinds).map(([kind, measures]) => [kind, read(fields(measures), fields(fields(style)[kind]))]),
    ),
  }))
  const { size: _, ...shown } = tableCells(recordsView(rows.filter(isMeasured), (row) => row, 'measures'))
  return shown
}

const isMeasured = (row: object): boolean => Object.values(row).filter((text) => text !== '' && text !== '–').length > 1

const title = ({ simulator, reference, questions, topK }: Calibration): string =>
  `${simulator} against ${reference}: ${count(questions)} questions, ${count(topK)} documents a search`

/** Texts that are shown, of those in which not all documents could be read. */
const SHOWN = 3
const LONGEST = 600

/** Measures side by side, and below them what could not be read. */
export function calibrationHtml(calibration: Calibration, style: Style): Html {
  const texts = unread(calibration)
  const list = texts.slice(0, SHOWN).map(({ quality, query, documents, text }) => {
    const read = html`${quality}, ${documents.length} read: ${query}`
    return html`<li>${read}<div${style('white-space: pre-wrap; overflow-wrap: anywhere;')}>${cut(text, LONGEST)}</div></li>`
  })
  const less = html`<details>
    <summary>${texts.length} texts in which fewer documents than asked for could be read</summary>
    <ol>${list}</ol>
  </details>`
  return html`<div><b>${title(calibration)}</b>${tableHtml(cells(calibration), style)}${texts.length > 0 ? less : ''}</div>`
}

export const calibrationText = (calibration: Calibration): string =>
  `${title(calibration)}\n${tableText(cells(calibration))}`

/** What a calibration says in a line. */
export function calibrationFields({ simulator, reference, questions, ...rest }: Calibration): Record<string, unknown> {
  const { useful, noisy, real, style } = rest as unknown as Record<string, unknown>
  const holds = (measures: unknown): string => share(fields(measures)['holdsAnswer'])
  return {
    ...{ simulator, reference, questions },
    ...{ 'useful hold an answer': holds(useful), 'noisy do': holds(noisy), 'real do': holds(real) },
    'documents read': share(fields(useful)['parsed']),
    'told from real': share(fields(fields(style)['useful'])['told']),
    'median seconds': number(fields(fields(useful)['seconds'])['median'], 3),
  }
}

interface Unread {
  quality: unknown
  query: unknown
  documents: readonly unknown[]
  text: string
}

const unread = ({ searches }: Calibration): Unread[] =>
  (searches as unknown[]).filter((search): search is Unread & Record<string, unknown> =>
    hasFields(search, { text: 'string', documents: 'array' }),
  )
