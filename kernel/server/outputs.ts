import { AsyncLocalStorage } from 'node:async_hooks'
import type { Header } from './message.js'
import type { Outgoing } from './thread-messages.js'

/** The request on whose behalf code runs. */
export interface CellContext {
  parent: Header
  identities: Uint8Array[]
  allowStdin: boolean
  silent: boolean
  /** The stop button, for code that listens. */
  stop: AbortController
  /** Of the reply: pages for the pager. */
  payload: Record<string, unknown>[]
}

/**
 * What cells write, sent to the cell that wrote it: timers and promises carry their cell with them, also after its end. What
 * comes from nowhere is the latest cell's.
 */
export class Outputs {
  readonly #cells = new AsyncLocalStorage<CellContext>()
  readonly #send: (message: Outgoing) => void
  #latest: CellContext | undefined

  constructor(send: (message: Outgoing) => void) {
    this.#send = send
  }

  run<T>(context: CellContext, work: () => T): T {
    this.#latest = context
    return this.within(context, work)
  }

  /** For what is no cell: a comm's message, say. */
  within<T>(context: CellContext, work: () => T): T {
    return this.#cells.run(context, work)
  }

  context(): CellContext | undefined {
    return this.#cells.getStore() ?? this.#latest
  }

  publish(
    type: string,
    content: Record<string, unknown>,
    extra: { metadata?: Record<string, unknown>; buffers?: Uint8Array[] } = {},
  ): void {
    const context = this.context()
    this.#send({ channel: 'iopub', type, parent: context?.parent, content, ...extra })
  }

  stream(name: 'stdout' | 'stderr', text: string): void {
    if (text !== '' && !this.context()?.silent) this.publish('stream', { name, text })
  }

  /** Everything written to the standard output and error becomes output of the cell. */
  takeStreams(): void {
    for (const name of ['stdout', 'stderr'] as const) {
      const decoder = new TextDecoder()
      const write = (chunk: string | Uint8Array, encoding?: unknown, done?: unknown): boolean => {
        this.stream(name, typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true }))
        const callback = typeof encoding === 'function' ? encoding : done
        if (typeof callback === 'function') queueMicrotask(callback as () => void)
        return true
      }
      process[name].write = write
    }
  }
}
