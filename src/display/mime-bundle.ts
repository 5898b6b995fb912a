import { inspect } from 'node:util'
import type { Figure } from '../plot/figure.js'
import { figureToPng } from '../plot/static-figure.js'
import type { Document } from '../schema/document.js'
import { staticOutputs } from '../schema/settings.js'
import type { Trajectory } from '../schema/trajectory.js'
import { styled, unstyled } from './html.js'
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
  if (typeof show === 'function') return { 'text/plain': inspect(value), ...(await (show.call(value) as object | Promise<object>)) }
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
  const png = Buffer.from(await figureToPng(figure)).toString('base64')
  if (isStatic) return { 'image/png': png }
  return {
    'application/vnd.plotly.v1+json': figure,
    'text/html': `<img alt="figure" style="max-width: 100%;" src="data:image/png;base64,${png}">`,
    'text/plain': 'Plotly figure',
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

function isTrajectory(value: unknown): value is Trajectory {
  return isRecord(value) && Array.isArray(value['turns']) && Array.isArray(value['lossMask'])
}

function isDocuments(value: unknown): value is Document[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((item) => isRecord(item) && 'text' in item && 'rank' in item)
  )
}

function isView(value: unknown): value is View {
  return isRecord(value) && typeof value['toView'] === 'function'
}

function isFigure(value: unknown): value is Figure {
  return isRecord(value) && Array.isArray(value['data']) && isRecord(value['layout'])
}
