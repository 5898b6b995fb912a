import { Worker } from 'node:worker_threads'
import type { PageText } from './page-text.js'
import type { PageAnswer, PageJob } from './page-worker.js'

// Pages are read in a thread: one that is made to take for ever, or all memory, ends the thread, not the process. It reads one
// page at a time.

let thread: Worker | undefined
let previous: Promise<unknown> = Promise.resolve()

/** The text of a page. @throws {Error} where it takes longer than this, or cannot be read */
export function readInThread(page: PageJob, timeLimitMs: number): Promise<PageText> {
  const read = previous.then(() => readNext(page, timeLimitMs))
  previous = read.catch(() => undefined)
  return read
}

async function readNext(page: PageJob, timeLimitMs: number): Promise<PageText> {
  const worker = (thread ??= await startThread())
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void): void => {
      clearTimeout(timer)
      worker.off('message', answered).off('error', broken).off('exit', ended)
      worker.unref()
      finish()
    }
    const giveUp = (message: string): void => {
      thread = undefined
      settle(() => reject(new Error(message)))
      void worker.terminate()
    }
    const timer = setTimeout(() => giveUp(`it could not be read in ${timeLimitMs / 1000} s`), timeLimitMs)
    const answered = (answer: PageAnswer): void =>
      settle(() => ('error' in answer ? reject(new Error(`it cannot be read: ${answer.error}`)) : resolve(answer.read)))
    const broken = (error: unknown): void =>
      giveUp(`it cannot be read: ${error instanceof Error ? error.message : String(error)}`)
    const ended = (code: number): void => giveUp(`it cannot be read: the reading thread ended with code ${code}`)
    worker.on('message', answered).on('error', broken).on('exit', ended)
    worker.ref()
    worker.postMessage(page)
  })
}

const entry = (extension: string): string => new URL(`./page-worker${extension}`, import.meta.url).href

/** Tests and scripts run TypeScript as it is; a thread needs the loader for it as well. */
const FROM_SOURCE = `
const { workerData } = require('node:worker_threads')
import('tsx/esm/api').then(({ register }) => (register(), import(workerData)))`

/** The thread, once jsdom is loaded. While it has nothing to read it does not keep the process alive. */
function startThread(): Promise<Worker> {
  const resourceLimits = { maxOldGenerationSizeMb: 1024 }
  const worker = import.meta.url.endsWith('.ts')
    ? new Worker(FROM_SOURCE, { eval: true, execArgv: [], resourceLimits, workerData: entry('.ts') })
    : new Worker(new URL(entry('.js')), { execArgv: [], resourceLimits })
  return new Promise((resolve, reject) => {
    worker.once('error', reject)
    // Also where it ends while it has nothing to read.
    const forget = (): void => void (thread = thread === worker ? undefined : thread)
    worker.on('error', forget).on('exit', forget)
    worker.once('message', () => {
      worker.off('error', reject)
      resolve(worker)
    })
  })
}
