import { cut } from './cut.js'
import { escapeHtml } from './html.js'
import type { View } from './mime-bundle.js'
import { inNotebook, liveDisplay } from './notebook.js'
import { throttle } from './throttle.js'

/** A log that takes one line of the notebook until it is opened. */
export interface FoldingLog {
  write: (line: string) => void
  /** Shows what has been written; also done by itself, a few times a second. */
  flush(): Promise<void>
}

/** Lines kept: the first and the last ones. */
const KEPT = { first: 200, last: 800 }
const LONGEST = 2000

/** Makes a log in the cell that called. Outside of a notebook lines go to the standard error as they come. */
export function foldingLog(title: string): FoldingLog {
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
        else if (first.length < KEPT.first) first.push(cut(line, LONGEST))
        else if (last.push(cut(line, LONGEST)) > KEPT.last) last.shift()
      }
      if (inNotebook()) shown.ask()
    },
    flush: async () => (inNotebook() ? shown.finish() : undefined),
  }
}

function view(title: string, first: readonly string[], last: readonly string[], total: number): View {
  const left = total - first.length - last.length
  const gap = left > 0 ? [`… ${left.toLocaleString('en')} lines left out …`] : []
  const text = [...first, ...gap, ...last].join('\n')
  const latest = cut(last.at(-1) ?? first.at(-1) ?? '', 120)
  const summary = `<b>${escapeHtml(title)}</b>, ${total.toLocaleString('en')} lines: ${escapeHtml(latest)}`
  return {
    toView: () => ({
      'text/html': `<details><summary>${summary}</summary><pre>${escapeHtml(text)}</pre></details>`,
      'text/plain': `${title}\n${text}`,
    }),
  }
}
