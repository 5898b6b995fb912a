import type { View } from './bundle.js'
import { html } from './html.js'
import type { Html } from './html.js'
import { display, inNotebook, liveDisplay } from './notebook.js'
import { endedText, runningText } from './progress-text.js'
import { throttle } from './throttle.js'

/** Options of `progressBar` and `track`. */
export interface ProgressOptions {
  /** What is being done; default `progress`. */
  label?: string
  /** What is counted, in the plural; default `items`. */
  unit?: string
}

/** A bar that moves in place and ends in one line. */
export interface ProgressBar {
  /** Moves it to a number. May be given as a callback: `onProgress: bar.update`. */
  update: (done: number) => void
  /** Ends it where it is: "evaluate: 1,400 questions in 23.4 s (59.8/s)", or where it stopped. */
  end(): Promise<void>
}

/**
 * A progress bar with rate and time left. Outside of a notebook the last line alone is printed.
 * @param total How many there are.
 * @throws where `total` is no number from 0 on
 * @example
 * const bar = zs.progressBar(questions.length, { label: 'my evaluation', unit: 'questions' })
 * await zs.evaluate({ methods, questions, onProgress: bar.update })
 * await bar.end()
 */
export function progressBar(total: number, options: ProgressOptions = {}): ProgressBar {
  if (typeof total !== 'number' || !(total >= 0 && total < Infinity))
    throw new RangeError(`progressBar: total must be a number from 0 on, got ${total}; count the items`)
  const { label = 'progress', unit = 'items' } = options
  const started = performance.now()
  const live = liveDisplay()
  let done = 0
  let ended = false
  const current = (): View => {
    const position = { title: label, unit, total, done, seconds: (performance.now() - started) / 1000 }
    return ended ? lineView(endedText(position, done < total)) : lineView(runningText(position), done / total)
  }
  const shown = throttle(() => live.update(current()))
  if (inNotebook()) shown.ask()
  return {
    update(now) {
      done = now
      if (inNotebook() && !ended) shown.ask()
    },
    async end() {
      if (ended) return
      ended = true
      if (inNotebook()) await shown.finish()
      else await display(current())
    },
  }
}

/**
 * Passes items on, with a bar that counts them. The bar ends where the loop does, by `break` or an error too.
 * @throws where the items have no length and `total` is not given
 * @example
 * for await (const question of zs.track(questions, { unit: 'questions' })) console.log(question.id)
 */
export async function* track<T>(
  items: Iterable<T> | AsyncIterable<T>,
  options: ProgressOptions & { /** Needed where `items` has neither a length nor a size. */ total?: number } = {},
): AsyncGenerator<T> {
  const sized = items as { length?: number; size?: number }
  const total = options.total ?? sized.length ?? sized.size
  if (total === undefined) throw new Error('track: these items have no length; give `total`')
  const bar = progressBar(total, options)
  let done = 0
  try {
    for await (const item of items) {
      yield item
      bar.update(++done)
    }
  } finally {
    await bar.end()
  }
}

/** A bar. @param share from 0 to 1 */
export const barHtml = (share: number): Html =>
  html`<div style="width: 100%; height: 6px; background: rgba(128,128,128,.25);">
    <div style="width: ${(100 * Math.min(1, share || 0)).toFixed(1)}%; height: 6px; background: #0072B2;"></div>
  </div>`

/** One line of text, with a bar below it where a share is given. */
export const lineView = (text: string, share?: number): View => ({
  toView: (isStatic) => ({
    'text/html': html`<div>${text}${share === undefined || isStatic ? '' : barHtml(share)}</div>`,
    'text/plain': text,
  }),
})
