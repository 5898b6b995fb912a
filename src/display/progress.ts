import { escapeHtml } from './html.js'
import type { View } from './mime-bundle.js'
import { display, inNotebook, liveDisplay } from './notebook.js'
import { throttle } from './throttle.js'

export interface ProgressOptions {
  /** What is being done; default `progress`. */
  label?: string
  /** What is counted, in the plural; default `items`. */
  unit?: string
}

/** A bar that moves in place and ends in one line. */
export interface ProgressBar {
  /** May be given as a callback: `onProgress: bar.update`. */
  update: (done: number) => void
  /** Ends it, at once where it is: "evaluate: 1,400 questions in 23.4 s (59.8/s)", or where it stopped. */
  end(): Promise<void>
}

/**
 * A progress bar with rate and time left. Outside of a notebook the last line alone is printed.
 * @param total How many there are.
 */
export function progressBar(total: number, options: ProgressOptions = {}): ProgressBar {
  if (!(total >= 0))
    throw new RangeError(`progressBar: total must be a number from 0 on, got ${total}; count the items`)
  const { label = 'progress', unit = 'items' } = options
  const started = performance.now()
  const live = liveDisplay()
  let done = 0
  let ended = false
  const seconds = (): number => (performance.now() - started) / 1000
  const shown = throttle(() => live.update(view(ended ? lastLine() : line(), ended ? undefined : done / total)))
  const line = (): string => {
    const left = done > 0 ? `, about ${duration(((total - done) * seconds()) / done)} left` : ''
    return `${label}: ${count(done)}/${count(total)} ${unit}, ${rate(done / seconds())}${left}`
  }
  const lastLine = (): string =>
    done < total
      ? `${label}: stopped at ${count(done)} of ${count(total)} ${unit} after ${duration(seconds())}`
      : `${label}: ${count(done)} ${unit} in ${duration(seconds())} (${rate(done / seconds())})`
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
      else await display(view(lastLine()))
    },
  }
}

/** Passes items on, with a bar that counts them: `for await (const item of track(items)) …`. */
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

/** A bar of the page's own colours. @param share from 0 to 1 */
export const barHtml = (share: number): string =>
  `<div style="width: 100%; height: 6px; background: rgba(128,128,128,.25);"><div style="width: ${(100 * share).toFixed(1)}%; height: 6px; background: #0072B2;"></div></div>`

const view = (text: string, share?: number): View => ({
  toView: (isStatic) => ({
    'text/html': `<div>${escapeHtml(text)}${share === undefined || isStatic ? '' : barHtml(share || 0)}</div>`,
    'text/plain': text,
  }),
})

const count = (value: number): string => value.toLocaleString('en')

const rate = (perSecond: number): string => {
  if (!Number.isFinite(perSecond) || perSecond === 0) return '0/s'
  return perSecond >= 1 ? `${perSecond.toFixed(1)}/s` : `${(1 / perSecond).toFixed(1)} s each`
}

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60
    ? `${minutes} min ${Math.floor(seconds % 60)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
