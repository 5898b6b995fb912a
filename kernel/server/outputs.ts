import { AsyncLocalStorage } from 'node:async_hooks'
import { bytesOf } from './buffers.js'
import { Interrupted } from './errors.js'
import { sizeOf } from './in-flight.js'
import type { InFlight, WaitEnd } from './in-flight.js'
import { jsonText } from './json.js'
import type { ToWire } from './thread-messages.js'

/** The request on whose behalf code runs. */
export interface CellContext {
  /** The request's header, as JSON. */
  parent: string
  identities: Uint8Array[]
  allowStdin: boolean
  silent: boolean
  /** The stop button, for code that listens. */
  stop: AbortController
  /** Of the reply: pages for the pager. */
  payload: Record<string, unknown>[]
}

interface Extra {
  metadata?: Record<string, unknown>
  buffers?: unknown[]
}

/** Longer texts are printed in pieces, between which the cell may have to wait. */
const PIECE_CHARACTERS = 1 << 20

/**
 * What cells write, sent to the cell that wrote it: timers and promises carry their cell with them, also after its end. What
 * comes from nowhere is the latest cell's. Where more is written than the front end takes, the cell waits.
 */
export class Outputs {
  readonly #cells = new AsyncLocalStorage<CellContext>()
  readonly #tell: (message: ToWire) => void
  readonly #inFlight: InFlight
  #latest: CellContext | undefined

  constructor(tell: (message: ToWire) => void, inFlight: InFlight) {
    this.#tell = tell
    this.#inFlight = inFlight
  }

  run<T>(context: CellContext, work: () => T): T {
    this.#latest = context
    return this.within(context, work)
  }

  /** For requests that are not cells, such as a comm's message. */
  within<T>(context: CellContext, work: () => T): T {
    return this.#cells.run(context, work)
  }

  context(): CellContext | undefined {
    return this.#cells.getStore() ?? this.#latest
  }

  /**
   * Sends a message for the cell, at once.
   * @throws {TypeError} where JSON cannot hold the content, or a buffer is not bytes
   */
  publish(type: string, content: Record<string, unknown>, { metadata = {}, buffers = [] }: Extra = {}): void {
    const parts = { content: jsonText(content, type), metadata: jsonText(metadata, type) }
    const bytes = buffers.map((buffer, i) => bytesOf(buffer, `${type}: buffers[${i}]`))
    const length = bytes.reduce((sum, { byteLength }) => sum + byteLength, parts.content.length + parts.metadata.length)
    const message = {
      channel: 'iopub' as const,
      type,
      parent: this.context()?.parent ?? '{}',
      ...parts,
      buffers: bytes,
      size: sizeOf(length),
    }
    this.#inFlight.add(message.size)
    this.#tell({ kind: 'send', message })
  }

  /** As `publish`, for what cells send as often as they like: waits where too much is under way. */
  show(type: string, content: Record<string, unknown>, extra?: Extra): void {
    this.#goOn(this.#inFlight.wait())
    this.publish(type, content, extra)
  }

  /** Resolves when more may be shown; undefined where it may be now. */
  untilFree(): Promise<void> | undefined {
    return this.#inFlight.isFull() ? this.#inFlight.waitAsync().then((end) => this.#goOn(end)) : undefined
  }

  stream(name: 'stdout' | 'stderr', text: string): void {
    if (this.context()?.silent) return
    for (let start = 0; start < text.length; start += PIECE_CHARACTERS) {
      this.#goOn(this.#inFlight.wait())
      this.#print(name, text.slice(start, start + PIECE_CHARACTERS))
    }
  }

  /** Prints at once, for the kernel itself: it waits for nothing. */
  log(text: string): void {
    this.#print('stderr', text)
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

  #print(name: 'stdout' | 'stderr', text: string): void {
    const size = sizeOf(text.length)
    this.#inFlight.add(size)
    this.#tell({ kind: 'print', printed: { name, text, parent: this.context()?.parent ?? '{}', size } })
  }

  #goOn(end: WaitEnd): void {
    if (end === 'interrupted') throw new Interrupted('The cell was interrupted.')
  }
}
