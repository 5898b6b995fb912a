import { AsyncLocalStorage } from 'node:async_hooks'

// How long work tells what it is doing, without knowing who listens: a notebook, a terminal, nobody. Rooms of any layer
// call `withProgress`; `display` listens.

/** Work that takes a while, as whoever listens sees it. */
export interface Task {
  /** What is done: `evaluate`. */
  readonly title: string
  /** What is counted, in the plural: `questions`; bytes show as MB. Undefined where nothing is counted. */
  readonly unit: string | undefined
  /** How many there are; undefined where nobody knows. */
  readonly total: number | undefined
  readonly done: number
  /** Those of `done` that were done before it started, by a run or download that goes on now; default 0. */
  readonly doneBefore: number
  /** What else there is to say now: the method, a mean reward. Empty for nothing. */
  readonly note: string
  /** What it has made so far, for listeners that know how to show it: a training's records. */
  readonly results: unknown
  /** `stopped`: it threw, or was stopped by the stop button. */
  readonly state: 'running' | 'done' | 'stopped'
  /** Seconds since its start, until its end. */
  seconds(): number
  /** Tasks under way inside of it: the rollouts of an update. */
  readonly parts: ReadonlySet<Task>
}

export interface TaskOptions {
  title: string
  /** Leave out where nothing is counted: such work shows only when it takes longer than two seconds. */
  unit?: string
  /** Leave out where it is not known. */
  total?: number
  /** Whether to tell anyone; false silences the tasks inside of it too. Default true. */
  progress?: boolean | undefined
  /** False for one of many that the work around it counts already: it is then not named as a part. Default true. */
  asPart?: boolean
}

/** Tells how many are done by now. Cheap: may be called for every item. What is left out of `more` stays as it was. */
export type Report = (done: number, more?: Partial<Pick<Task, 'note' | 'results' | 'doneBefore'>>) => void

/** Called when an outermost task, or one inside of it, starts, moves or ends. What it throws is ignored. */
export type TaskListener = (task: Task) => void | Promise<void>

type MutableTask = { -readonly [K in keyof Task]: Task[K] } & { parts: Set<Task>; outermost: MutableTask }

const SILENT = Symbol('silent')
const surrounding = new AsyncLocalStorage<MutableTask | typeof SILENT>()
const listeners = new Set<TaskListener>()

/** Calls `listener` for all tasks of this process. @returns ends it */
export function onProgress(listener: TaskListener): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

/**
 * Runs work that may take longer than two seconds, and tells listeners how far it is. Tasks inside of it, also side by
 * side, show as parts of it. It ends with the work, however that ends.
 * @example
 * import { withProgress } from './progress.js'
 * await withProgress({ title: 'ask', unit: 'questions', total: questions.length }, async (report) => {
 *   for (const [i, { question }] of questions.entries()) { await zs.chat(model, question); report(i + 1) }
 * })
 */
export async function withProgress<T>(options: TaskOptions, work: (report: Report) => Promise<T>): Promise<T> {
  const around = surrounding.getStore()
  if (options.progress === false || around === SILENT || listeners.size === 0)
    return surrounding.run(SILENT, () => work(() => undefined))
  // What was started inside of a task and outlives it is a separate task.
  const parent = around?.outermost.state === 'running' && around.state === 'running' ? around : undefined
  if (parent && options.asPart === false) return work(() => undefined)
  const task = startTask(options, parent)
  void tell(task.outermost)
  try {
    const result = await surrounding.run(task, () =>
      work((done, more = {}) => {
        if (task.state !== 'running') return
        Object.assign(task, more, { done })
        void tell(task.outermost)
      }),
    )
    task.state = 'done'
    return result
  } catch (error) {
    task.state = 'stopped'
    throw error
  } finally {
    const seconds = task.seconds()
    task.seconds = () => seconds
    parent?.parts.delete(task)
    // Its last line is to be shown before the cell ends.
    if (!parent) await tell(task)
    else if (parent.outermost.state === 'running') void tell(parent.outermost)
  }
}

function startTask({ title, unit, total }: TaskOptions, parent: MutableTask | undefined): MutableTask {
  const started = performance.now()
  const task = {
    ...{
      title,
      unit,
      total,
      done: 0,
      doneBefore: 0,
      note: '',
      results: undefined,
      state: 'running' as const,
      parts: new Set<Task>(),
    },
    seconds: () => (performance.now() - started) / 1000,
  } as MutableTask
  task.outermost = parent?.outermost ?? task
  parent?.parts.add(task)
  return task
}

async function tell(task: Task): Promise<void> {
  // One that throws at once must keep neither the others nor the work from going on.
  await Promise.allSettled([...listeners].map(async (listener) => listener(task)))
}
