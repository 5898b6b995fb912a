import { stripVTControlCharacters } from 'node:util'
import { onProgress } from '../host/progress.js'
import type { Task } from '../host/progress.js'
import { cut } from './cut.js'
import { inNotebook, liveDisplay } from './notebook.js'
import { lineView } from './progress.js'
import { endedText, runningText } from './progress-text.js'
import { throttle } from './throttle.js'
import { hasUpdates, trainingView } from './training-view.js'

/** What ends sooner shows nothing; what counts nothing has to take longer. */
const SHOW_AFTER_MS = 1000
const SHOW_UNCOUNTED_AFTER_MS = 2000
/** Where nothing is told (a model compiles), the time goes on all the same. */
const TICK_MS = 1000
/** Tasks inside of a task that are named; of more, the number. */
const NAMED_PARTS = 2

/** One outermost task on its way to the page. */
interface Shown {
  ask(): void
  end(): Promise<void>
}

/**
 * Shows every task of the process that takes longer than a second: in a notebook a bar in the cell that started it, with
 * curves for a training; on a terminal one line of the standard error, so that results on the standard output stay clean;
 * where the standard error is a file or a pipe nothing, so that logs stay clean. It ends in one line.
 * @returns ends it
 */
export function showProgress(): () => void {
  const all = new WeakMap<Task, Shown>()
  return onProgress((task) => {
    const shown = all.get(task)
    if (task.state !== 'running') {
      all.delete(task)
      return shown?.end()
    }
    if (shown) shown.ask()
    else all.set(task, show(task))
  })
}

const NOWHERE: Shown = { ask: () => undefined, end: () => Promise.resolve() }

function show(task: Task): Shown {
  if (!inNotebook() && !process.stderr.isTTY) return NOWHERE
  const draw = inNotebook() ? inCell() : onTerminal()
  const drawing = throttle(() => draw(task))
  let ticking: NodeJS.Timeout | undefined
  const start = (): void => {
    drawing.ask()
    ticking = setInterval(() => drawing.ask(), TICK_MS).unref()
  }
  const starting = setTimeout(start, task.unit === undefined ? SHOW_UNCOUNTED_AFTER_MS : SHOW_AFTER_MS).unref()
  return {
    ask: () => void (ticking && drawing.ask()),
    async end() {
      clearTimeout(starting)
      clearInterval(ticking)
      if (ticking) await drawing.finish()
    },
  }
}

function inCell(): (task: Task) => Promise<void> {
  const live = liveDisplay()
  return (task) => {
    const share = task.total === undefined || task.state !== 'running' ? undefined : task.done / task.total
    const text = taskText(task)
    return live.update(hasUpdates(task) ? trainingView(text, share, task.results) : lineView(text, share))
  }
}

function onTerminal(): (task: Task) => Promise<void> {
  const { stderr } = process
  return (task) => {
    // Titles and notes may hold names that were read from files: none of them moves the cursor.
    const line = cut(
      stripVTControlCharacters(taskText(task)).replace(/\p{Cc}/gu, ' '),
      Math.max(20, stderr.columns - 1),
    )
    stderr.write(`\r\u001b[2K${line}${task.state === 'running' ? '' : '\n'}`)
    return Promise.resolve()
  }
}

/** A task, with what is under way inside of it, in a line. */
export function taskText(task: Task): string {
  const { title, unit, total, done, doneBefore, state, parts, note } = task
  const position = { title, unit, total, done, doneBefore, seconds: task.seconds() }
  if (state !== 'running') return endedText(position, state === 'stopped')
  const named = [...parts].filter((part) => part.unit !== undefined || 1000 * part.seconds() > SHOW_UNCOUNTED_AFTER_MS)
  const texts = named.slice(0, NAMED_PARTS).map(taskText)
  if (named.length > NAMED_PARTS) texts.push(`${named.length - NAMED_PARTS} more`)
  return [runningText(position), ...(note === '' ? [] : [note]), ...texts].join(' · ')
}
