import { inspect } from 'node:util'
import { staticOutputs } from '../schema/settings.js'
import type { Best } from '../table/best-cells.js'
import type { Bundle, MimeBundle, ShowContext, View } from './bundle.js'
import { isHtml, styled, unstyled } from './html.js'
import { isRecord } from './shape.js'
import { showShape } from './shapes.js'

/** Options of `display`. */
export interface ShowOptions {
  /**
   * For viewers that show neither scripts nor styles, as GitHub's: figures as a PNG alone, HTML without styles. Default:
   * whether `ZEROSEARCH_STATIC` is 1 in the environment, for all that a notebook shows.
   */
  static?: boolean
  /** Sorts a table by a column, `-column` for descending order. Default: the table's order. */
  sort?: string
  /** Columns of a table whose best value is bold, as `{ em: 'max' }`, or `'max'` for all columns. Default: none. */
  best?: Best
  /** The best of each value of this column, such as `dataset`. Default: of the whole table. */
  within?: string
}

const DISPLAY = Symbol.for('Jupyter.display')

/**
 * Everything that can show itself: by its method `Symbol.for('Jupyter.display')` (as widgets have), tables, figures,
 * trajectories, models and the other records; anything else as Node prints it. A string is text, never HTML.
 * @example
 * const bundle = await zs.toMimeBundle(zs.scoreTable(scores))
 * console.log(bundle['text/plain'])
 */
export async function toMimeBundle(value: unknown, options: ShowOptions = {}): Promise<MimeBundle> {
  const show = (value as { [DISPLAY]?: unknown } | null | undefined)?.[DISPLAY]
  if (typeof show === 'function')
    return { 'text/plain': inspect(value), ...(await (show.call(value) as object | Promise<object>)) }
  return (await knownBundle(value, options)) ?? { 'text/plain': typeof value === 'string' ? value : inspect(value) }
}

/** The bundle of the kinds that this package knows; undefined for others. */
export async function knownBundle(value: unknown, options: ShowOptions = {}): Promise<MimeBundle | undefined> {
  const isStatic = options.static ?? staticOutputs()
  const style = isStatic ? unstyled : styled
  const { sort, best, within } = options
  const context = {
    isStatic,
    style,
    ...(sort !== undefined && { sort }),
    ...(best !== undefined && { best: { best, within } }),
  }
  const bundle = await (isView(value) ? value.toView(isStatic) : recordBundle(value, context))
  if (!bundle) return undefined
  // Markup of anybody else, another copy of this package or a file, does not pass.
  const entries = Object.entries(bundle).filter(([type, data]) => type !== 'text/html' || isHtml(data))
  return Object.fromEntries(entries.map(([type, data]) => [type, isHtml(data) ? String(data) : data]))
}

/** A record that was read from a file may hold anything: one that its view cannot read shows as Node prints it. */
async function recordBundle(value: unknown, context: ShowContext): Promise<Bundle | undefined> {
  try {
    return await showShape(value, context)
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}

function isView(value: unknown): value is View {
  return isRecord(value) && typeof value['toView'] === 'function'
}
