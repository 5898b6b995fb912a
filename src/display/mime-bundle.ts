import { inspect } from 'node:util'
import type { ColumnTable } from 'arquero'
import type { Figure } from '../plot/figure.js'
import { figureToPng } from '../plot/static-figure.js'
import type { Document } from '../schema/document.js'
import type { Trajectory } from '../schema/trajectory.js'
import { tableHtml } from './table-html.js'
import { documentsHtml, trajectoryHtml } from './trajectory-html.js'

/** What a notebook stores of one output: one representation for each kind of viewer. */
export type MimeBundle = Record<string, unknown>

export interface ShowOptions {
  /** Figures as a picture alone, for viewers that show nothing else; default false. */
  static?: boolean
}

/** Raw HTML that is known to be safe. */
export interface Html {
  html: string
  text: string
}

/** Everything that can show itself: tables, figures, trajectories, documents; anything else as Node prints it. */
export async function toMimeBundle(value: unknown, options: ShowOptions = {}): Promise<MimeBundle> {
  if (isTable(value)) return { 'text/html': tableHtml(value), 'text/plain': plainTable(value) }
  if (isTrajectory(value))
    return { 'text/html': trajectoryHtml(value), 'text/plain': value.turns.map((turn) => turn.text).join('\n') }
  if (isDocuments(value)) {
    return { 'text/html': documentsHtml(value), 'text/plain': value.map((d) => `${d.rank}. ${d.text}`).join('\n') }
  }
  if (isHtml(value)) return { 'text/html': value.html, 'text/plain': value.text }
  if (isFigure(value)) {
    const png = Buffer.from(await figureToPng(value)).toString('base64')
    if (options.static) return { 'image/png': png }
    // No image/png beside: JupyterLab would show the picture instead of the figure.
    return {
      'application/vnd.plotly.v1+json': value,
      'text/html': `<img alt="figure" style="max-width: 100%;" src="data:image/png;base64,${png}">`,
      'text/plain': 'Plotly figure',
    }
  }
  return { 'text/plain': typeof value === 'string' ? value : inspect(value) }
}

function plainTable(table: ColumnTable): string {
  return `${table.numRows()} rows × ${table.numCols()} columns: ${table.columnNames().join(', ')}`
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

function isTable(value: unknown): value is ColumnTable {
  return isRecord(value) && typeof value['columnNames'] === 'function' && typeof value['objects'] === 'function'
}

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

function isHtml(value: unknown): value is Html {
  return isRecord(value) && typeof value['html'] === 'string' && typeof value['text'] === 'string'
}

function isFigure(value: unknown): value is Figure {
  return isRecord(value) && Array.isArray(value['data']) && isRecord(value['layout'])
}
