import { z } from 'zod'
import { parseOptions } from '../schema/parse-options.js'
import { cut } from './cut.js'
import { html } from './html.js'
import type { View } from './bundle.js'
import { inNotebook, liveDisplay } from './notebook.js'
import { count } from './number-text.js'
import { throttle } from './throttle.js'

/** A log that takes one line of the notebook until it is opened. */
export interface FoldingLog {
  /** Adds a line, or several. May be given as a callback. */
  write: (line: string) => void
  /** Shows what has been written; also done by itself, a few times a second. */
  flush(): Promise<void>
}

/** Lines that show: the first and the last ones. */
const SHOWN_LINES = { first: 200, last: 800 }
const LONGEST_LINE = 2000

/**
 * Makes a log in the cell that called: one line until it is opened. Of a long log the first and last lines are kept. Outside
 * of a notebook lines go to the standard error as they come.
 * @example
 * const log = zs.foldingLog('answers')
 * await zs.evaluate({ methods, questions, onTrajectory: (method, { answer }) => log.write(`${method}: ${answer}`) })
 * await log.flush()
 */
export function foldingLog(title: string): FoldingLog {
  parseOptions('folding log', z.object({ title: z.string() }), { title })
  const live = liveDisplay()
  const first: string[] = []
  const last: string[] = []
  let total = 0
  const shown = throttle(() => live.update(view(title, first, last, total)))
  return {
    write(text) {
      for (const line of text.replace(/\n$/, '').split('\n')) {
        total++
        if (!inNotebook()) console.error(`${title}: ${line}`)
        else if (first.length < SHOWN_LINES.first) first.push(cut(line, LONGEST_LINE))
        else if (last.push(cut(line, LONGEST_LINE)) > SHOWN_LINES.last) last.shift()
      }
      if (inNotebook()) shown.ask()
    },
    flush: async () => (inNotebook() ? shown.finish() : undefined),
  }
}

function view(title: string, first: readonly string[], last: readonly string[], total: number): View {
  const left = total - first.length - last.length
  const gap = left > 0 ? [`… ${count(left)} lines left out …`] : []
  const text = [...first, ...gap, ...last].join('\n')
  const latest = cut(last.at(-1) ?? first.at(-1) ?? '', 120)
  const summary = html`<summary><b>${title}</b>, ${count(total)} lines: ${latest}</summary>`
  return {
    toView: () => ({
      'text/html': html`<details>
        ${summary}
        <pre>${text}</pre>
      </details>`,
      'text/plain': `${title}\n${text}`,
    }),
  }
}
