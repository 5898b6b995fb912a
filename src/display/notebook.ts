import { randomUUID } from 'node:crypto'
import { jupyter } from '../host/jupyter.js'
import { knownBundle, toMimeBundle } from './mime-bundle.js'
import type { ShowOptions } from './mime-bundle.js'
import type { MimeBundle } from './bundle.js'

/** Whether there is a notebook to show things in. */
export const inNotebook = (): boolean => jupyter() !== undefined

/**
 * Shows a value in the cell's output: a table, a figure, a trajectory, a model, records and arrays of them, or what
 * `html`, `markdown`, `png` and `svg` make; outside of a notebook its plain text is printed. The last expression of a cell
 * shows the same way by itself. A string is text, never HTML.
 * @example
 * await zs.display(zs.scoreTable(scores), { sort: '-f1' })
 */
export async function display(value: unknown, options: ShowOptions = {}): Promise<void> {
  const bundle = await toMimeBundle(value, options)
  const notebook = jupyter()
  if (notebook) await notebook.display(bundle, { raw: true })
  else console.log(bundle['text/plain'] ?? 'a picture')
}

/** An output that changes in place. */
export interface LiveDisplay {
  /** Shows a value, as `display` does, in the place of the one before. */
  update(value: unknown): Promise<void>
}

/**
 * Makes an output that changes in place, in the cell that called. Outside of a notebook only the first value is printed.
 * @example
 * const live = zs.liveDisplay()
 * for (const question of questions) await live.update(question)
 */
export function liveDisplay(): LiveDisplay {
  const id = randomUUID()
  let shown = false
  return {
    async update(value) {
      const update = shown
      shown = true
      const notebook = jupyter()
      if (notebook) await notebook.display(await toMimeBundle(value), { raw: true, id, update })
      else if (!update) await display(value)
    },
  }
}

type Formatter = (value: unknown) => Promise<MimeBundle | undefined>

const FORMATTERS = Symbol.for('Jupyter.formatters')
const NAME = 'zerosearch'

/** Has the kernel show a cell's last expression as `display` does. A second copy of the package takes the first one's place. */
function registerFormatter(): void {
  const registry = globalThis as { [FORMATTERS]?: Formatter[] }
  const formatters = (registry[FORMATTERS] ??= [])
  const format: Formatter = Object.defineProperty((value: unknown) => knownBundle(value), 'name', { value: NAME })
  const earlier = formatters.findIndex(({ name }) => name === NAME)
  formatters.splice(earlier < 0 ? formatters.length : earlier, earlier < 0 ? 0 : 1, format)
}
registerFormatter()
