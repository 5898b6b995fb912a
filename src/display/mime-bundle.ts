import { inspect } from 'node:util'
import type { Figure } from '../plot/figure.js'
import { figureToPng } from '../plot/static-figure.js'
import type { Document } from '../schema/document.js'
import { staticOutputs } from '../schema/settings.js'
import type { Trajectory } from '../schema/trajectory.js'
import { escapeHtml, styled, unstyled } from './html.js'
import { tableCells } from './table-cells.js'
import { tableHtml, tableText } from './table-html.js'
import { sorted, tableView } from './table-view.js'
import { documentsHtml, trajectoryHtml } from './trajectory-html.js'

/** What a notebook stores of one output: one representation for each kind of viewer. */
export type MimeBundle = Record<string, unknown>

export interface ShowOptions {
  /**
   * For viewers that show neither scripts nor styles, as GitHub's: figures as a PNG alone, HTML without styles. Default:
   * whether `ZEROSEARCH_STATIC` is 1 in the environment, for all that a notebook shows.
   */
  static?: boolean
  /** Sorts a table by a column, `-column` for descending order. Default: the table's own order. */
  sort?: string
}

/** Something of the project's own that knows how it shows itself: a progress bar, a log, curves. */
export interface View {
  toView(isStatic: boolean): MimeBundle | Promise<MimeBundle>
}

const DISPLAY = Symbol.for('Jupyter.display')

/** Everything that can show itself: by a method of its own (`Symbol.for('Jupyter.display')`, as widgets have), tables, figures, trajectories, documents; anything else as Node prints it. */
export async function toMimeBundle(value: unknown, options: ShowOptions = {}): Promise<MimeBundle> {
  const show = (value as { [DISPLAY]?: unknown } | null | undefined)?.[DISPLAY]
  if (typeof show === 'function')
    return { 'text/plain': inspect(value), ...(await (show.call(value) as object | Promise<object>)) }
  return (await ownBundle(value, options)) ?? { 'text/plain': typeof value === 'string' ? value : inspect(value) }
}

/** The bundle of the kinds that this package knows; undefined for others. */
export async function ownBundle(value: unknown, options: ShowOptions = {}): Promise<MimeBundle | undefined> {
  const isStatic = options.static ?? staticOutputs()
  const style = isStatic ? unstyled : styled
  const view = tableView(value)
  if (view) {
    const cells = tableCells(options.sort === undefined ? view : sorted(view, options.sort))
    return { 'text/html': tableHtml(cells, style), 'text/plain': tableText(cells) }
  }
  if (isTrajectory(value))
    return { 'text/html': trajectoryHtml(value, style), 'text/plain': value.turns.map((turn) => turn.text).join('\n') }
  if (isDocuments(value)) {
    return {
      'text/html': documentsHtml(value, style),
      'text/plain': value.map((d) => `${d.rank}. ${d.text}`).join('\n'),
    }
  }
  if (isView(value)) return value.toView(isStatic)
  return isFigure(value) ? figureBundle(value, isStatic) : undefined
}

/** No image/png beside the figure: JupyterLab would show the picture instead of it. */
async function figureBundle(figure: Figure, isStatic: boolean): Promise<MimeBundle> {
  const interactive = isStatic ? {} : { 'application/vnd.plotly.v1+json': plainJson(figure) }
  let png: string
  try {
    png = Buffer.from(await figureToPng(figure)).toString('base64')
  } catch (error) {
    // Where the picture would be, it says why there is none: the figure itself may be good.
    const text = `Plotly figure without a picture: ${error instanceof Error ? error.message : String(error)}`
    return { ...interactive, 'text/html': `<div>${escapeHtml(text)}</div>`, 'text/plain': text }
  }
  if (isStatic) return { 'image/png': png }
  return {
    ...interactive,
    'text/html': `<img alt="figure" style="max-width: 100%;" src="data:image/png;base64,${png}">`,
    'text/plain': 'Plotly figure',
  }
}

/** JSON has no typed arrays: as they are, they would become objects. */
function plainJson(figure: Figure): unknown {
  return JSON.parse(
    JSON.stringify(figure, (_, value: unknown) =>
      ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value,
    ),
  )
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

// Whatever a cell ends with is asked for these shapes: what only looks alike has to pass as it is.

function isTrajectory(value: unknown): value is Trajectory {
  if (!isRecord(value) || !Array.isArray(value['turns']) || !Array.isArray(value['lossMask'])) return false
  const { turns, question } = value
  return (
    isRecord(question) &&
    typeof question['question'] === 'string' &&
    Array.isArray(question['goldAnswers']) &&
    turns.every((turn) => isRecord(turn) && typeof turn['text'] === 'string')
  )
}

function isDocuments(value: unknown): value is Document[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every(
      (item) =>
        isRecord(item) &&
        typeof item['text'] === 'string' &&
        typeof item['rank'] === 'number' &&
        ['string', 'undefined'].includes(typeof item['title']),
    )
  )
}

function isView(value: unknown): value is View {
  return isRecord(value) && typeof value['toView'] === 'function'
}

function isFigure(value: unknown): value is Figure {
  return isRecord(value) && Array.isArray(value['data']) && value['data'].every(isRecord) && isRecord(value['layout'])
}
