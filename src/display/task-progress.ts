import { stripVTControlCharacters } from 'node:util'
import { onProgress } from '../host/progress.js'
import type { Task } from '../host/progress.js'
import { cut } from './cut.js'
import { inNotebook, liveDisplay } from './notebook.js'
import { lineView } from './progress.js'
import { endedText, runningText } from './progress-text.js'
import { throttle } from './throttle.js'

/** What ends sooner shows nothing. */
const SHOW_AFTER_MS = 1000
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
 * Shows every task of the process that takes longer than a second: in a notebook a bar in the cell that started it, on a
 * terminal one line of the standard error, elsewhere nothing. It ends in one line.
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
  const starting = setTimeout(() => {
    drawing.ask()
    ticking = setInterval(() => drawing.ask(), TICK_MS).unref()
  }, SHOW_AFTER_MS).unref()
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
    const share = task.total === undefined ? undefined : task.done / task.total
    return live.update(task.state === 'running' ? lineView(taskText(task), share) : lineView(taskText(task)))
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

function taskText(task: Task): string {
  const { title, unit, total, done, state, parts, note } = task
  const position = { title, unit, total, done, seconds: task.seconds() }
  if (state !== 'running') return endedText(position, state === 'stopped')
  const texts = [...parts].slice(0, NAMED_PARTS).map(taskText)
  if (parts.size > NAMED_PARTS) texts.push(`${parts.size - NAMED_PARTS} more`)
  return [runningText(position), ...(note === '' ? [] : [note]), ...texts].join(' · ')
}
