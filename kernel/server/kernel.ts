import { getEventListeners } from 'node:events'
import { writeSync } from 'node:fs'
import { Language, isComplete } from './cells/language.js'
import { Cells } from './cells/run-cell.js'
import { loadTslab } from './cells/tslab.js'
import { Comms } from './comms.js'
import { Interrupted, errorContent, faultsContent } from './errors.js'
import type { ErrorContent } from './errors.js'
import { History } from './history.js'
import { installGlobals } from './jupyter-global.js'
import type { Header, Message } from './message.js'
import { mimeBundle } from './mime.js'
import type { MimeBundle } from './mime.js'
import { Outputs } from './outputs.js'
import type { CellContext } from './outputs.js'
import { Stdin } from './stdin.js'
import { PHASE } from './thread-messages.js'
import type { Outgoing } from './thread-messages.js'
import { kernelInfo } from './kernel-info.js'

/** A request, and the way back to who asked. */
interface Request {
  channel: 'shell' | 'control'
  message: Message
}

interface ExecuteContent {
  code: string
  silent?: boolean
  store_history?: boolean
  user_expressions?: Record<string, string>
  allow_stdin?: boolean
  stop_on_error?: boolean
}

type Content = Record<string, unknown>

/** How long an interrupted cell has for its own last words. */
const LAST_WORDS_MS = 300

/** Answers the requests of front ends, on the main thread. Cells run one after another; all else is answered in between. */
export class Kernel {
  readonly outputs: Outputs
  readonly comms: Comms
  readonly stdin: Stdin
  readonly #send: (message: Outgoing) => void
  readonly #drain: () => Promise<void>
  readonly #phase: Int32Array
  readonly #cells: Cells
  readonly #language: Language
  readonly #history: History
  readonly #queue: Request[] = []
  /** The header of the cell that runs. */
  #running: Header | undefined
  #count = 0
  #interrupt: (() => void) | undefined

  constructor(
    folder: string,
    phase: SharedArrayBuffer,
    historyFile: string,
    send: (message: Outgoing) => void,
    drain: () => Promise<void>,
  ) {
    this.#send = send
    this.#drain = drain
    this.#phase = new Int32Array(phase)
    this.outputs = new Outputs(send)
    this.comms = new Comms(this.outputs)
    this.stdin = new Stdin(send)
    this.#history = new History(historyFile)
    const tslab = loadTslab()
    const stop = {
      asked: this.#phase.subarray(PHASE.interrupted),
      now: () => {
        throw new Interrupted('The cell was interrupted.')
      },
    }
    this.#cells = new Cells(folder, tslab, stop)
    this.#cells.onRun = () => {
      if (stop.asked[0]) stop.now()
      Atomics.store(this.#phase, PHASE.state, PHASE.running)
    }
    this.#language = new Language(this.#cells.program, this.#cells.declarations)
    installGlobals(this.outputs, this.comms, this.stdin, tslab.jupyter)
  }

  /** Reads the library's types, so that the first cell finds them. */
  warmUp(): void {
    this.#cells.warmUp()
  }

  receive(request: Request): void {
    if (request.message.header.msg_type === 'execute_request') {
      this.#queue.push(request)
      void this.#runQueue()
    } else this.#answer(request)
  }

  /** The stop button. A loop ends by itself. */
  interrupt(): void {
    this.stdin.cancel()
    this.#interrupt?.()
  }

  /**
   * What ends a cell that awaits: who listens to its signal may say in own words what goes on, and then the cell's promise
   * is let go.
   */
  #interrupterOf(reject: (error: unknown) => void): () => void {
    const { stop } = this.outputs.context()!
    return () => {
      const listens = getEventListeners(stop.signal, 'abort').length > 0
      stop.abort(new Interrupted('The cell was interrupted.'))
      const rest = new Interrupted('The cell was interrupted; what it awaited goes on in the background.')
      if (listens) setTimeout(reject, LAST_WORDS_MS, rest)
      else reject(rest)
    }
  }

  /** An error that no cell caught. */
  uncaught(error: unknown): void {
    if (error instanceof Interrupted) return
    const { traceback } = errorContent(error, this.#cells.sources)
    this.outputs.stream('stderr', `Uncaught ${traceback.join('\n')}\n`)
  }

  async #runQueue(): Promise<void> {
    if (this.#running) return
    for (let request = this.#queue.shift(); request; request = this.#queue.shift()) {
      this.#running = request.message.header
      this.#status(this.#running, 'busy')
      const { reply, stop } = await this.#execute(request).catch((error: unknown) => this.#misformed(error))
      // What was sent before the front end knew of the error; what it sends from here on runs.
      if (stop) await this.#drain()
      const aborted = stop ? this.#queue.splice(0) : []
      this.#reply(request, 'execute_reply', reply)
      this.#status(this.#running, 'idle')
      for (const other of aborted) {
        this.#status(other.message.header, 'busy')
        this.#reply(other, 'execute_reply', { status: 'aborted', execution_count: this.#count })
        this.#status(other.message.header, 'idle')
      }
    }
    this.#running = undefined
  }

  /** A request whose content is not what the protocol says must not hold up the next one. */
  #misformed(error: unknown): { reply: Content; stop: boolean } {
    const content = errorContent(error, this.#cells.sources)
    return { reply: { status: 'error', execution_count: this.#count, ...content }, stop: false }
  }

  /** @returns the reply, and whether what is queued must not run */
  async #execute({ message }: Request): Promise<{ reply: Content; stop: boolean }> {
    const { silent = false, ...content } = message.content as unknown as ExecuteContent
    const { code } = content
    if (typeof code !== 'string') throw new TypeError(`execute_request: code must be a string, got ${typeof code}`)
    const context = contextOf(message, { allowStdin: content.allow_stdin ?? false, silent })
    if (!silent && content.store_history !== false && code.trim() !== '') this.#count++
    const execution_count = this.#count
    return this.outputs.run(context, async () => {
      if (!silent) this.outputs.publish('execute_input', { code, execution_count })
      const end = await this.#evaluate(code, execution_count)
      if (!silent && 'ename' in end) this.outputs.publish('error', { ...end })
      if (!silent && 'data' in end)
        this.outputs.publish('execute_result', { execution_count, data: end.data, metadata: {} })
      const text = 'data' in end ? end.data?.['text/plain'] : undefined
      if (!silent && content.store_history !== false)
        this.#history.add(execution_count, code, typeof text === 'string' ? text : null)
      if ('ename' in end)
        return { reply: { status: 'error', execution_count, ...end }, stop: content.stop_on_error !== false }
      const user_expressions = await this.#expressions(content.user_expressions ?? {}, execution_count)
      return { reply: { status: 'ok', execution_count, payload: context.payload, user_expressions }, stop: false }
    })
  }

  /** Runs code; a value comes as its bundle. The stop button ends both, for what shows a value may take long as well. */
  async #evaluate(code: string, count: number): Promise<ErrorContent | { data?: MimeBundle }> {
    if (code.trim() === '') return {}
    Atomics.add(this.#phase, PHASE.cell, 1)
    Atomics.store(this.#phase, PHASE.state, PHASE.compiling)
    try {
      return await new Promise((resolve, reject) => {
        this.#interrupt = this.#interrupterOf(reject)
        this.#runAndShow(code, count).then(resolve, reject)
      })
    } catch (error) {
      return errorContent(error, this.#cells.sources)
    } finally {
      Atomics.store(this.#phase, PHASE.state, PHASE.idle)
      Atomics.store(this.#phase, PHASE.interrupted, 0)
      this.#interrupt = undefined
    }
  }

  async #runAndShow(code: string, count: number): Promise<ErrorContent | { data?: MimeBundle }> {
    const end = await this.#cells.run(code, count)
    if (end.status === 'faults') return faultsContent(end.faults, code, count)
    if (end.status === 'thrown') return errorContent(end.error, this.#cells.sources)
    return end.hasValue ? { data: await mimeBundle(end.value) } : {}
  }

  async #expressions(expressions: Record<string, string>, count: number): Promise<Content> {
    const values: Content = {}
    for (const [name, expression] of Object.entries(expressions)) {
      const end = await this.#evaluate(expression, count)
      values[name] = 'ename' in end ? { status: 'error', ...end } : { status: 'ok', data: end.data ?? {}, metadata: {} }
    }
    return values
  }

  #answer(request: Request): void {
    const { header, content, buffers } = request.message
    const context = contextOf(request.message, { allowStdin: false, silent: false })
    this.#status(header, 'busy')
    this.outputs.within(context, () => {
      try {
        this.#dispatch(request, header.msg_type, content, buffers)
      } catch (error) {
        this.outputs.stream('stderr', `${errorContent(error, this.#cells.sources).traceback.join('\n')}\n`)
      }
    })
    this.#status(header, 'idle')
    if (this.#running) this.#status(this.#running, 'busy')
  }

  #dispatch(request: Request, type: string, content: Content, buffers: Uint8Array[]): void {
    const code = typeof content['code'] === 'string' ? content['code'] : ''
    const cursor = utf16Offset(code, Number(content['cursor_pos'] ?? 0))
    switch (type) {
      case 'kernel_info_request':
        return this.#reply(request, 'kernel_info_reply', kernelInfo())
      case 'is_complete_request':
        return this.#reply(request, 'is_complete_reply', isComplete(code))
      case 'complete_request': {
        const { start, end, items } = this.#language.complete(code, cursor)
        const span = { cursor_start: codePoints(code, start), cursor_end: codePoints(code, end) }
        const types = items.map((item) => ({ ...item, start: span.cursor_start, end: span.cursor_end }))
        const matches = items.map((item) => item.text)
        return this.#reply(request, 'complete_reply', {
          status: 'ok',
          matches,
          ...span,
          metadata: { _jupyter_types_experimental: types },
        })
      }
      case 'inspect_request': {
        const text = this.#language.inspect(code, cursor, content['detail_level'] === 1)
        const data =
          text === undefined
            ? {}
            : { 'text/plain': text.replace(/^```(?:typescript)?\n?/gm, ''), 'text/markdown': text }
        return this.#reply(request, 'inspect_reply', { status: 'ok', found: text !== undefined, data, metadata: {} })
      }
      case 'history_request': {
        const history = this.#history.find(content as unknown as Parameters<History['find']>[0])
        return this.#reply(request, 'history_reply', { status: 'ok', history })
      }
      case 'comm_info_request':
        return this.#reply(request, 'comm_info_reply', {
          status: 'ok',
          comms: this.comms.info(content['target_name'] as string | undefined),
        })
      case 'comm_open':
      case 'comm_msg':
      case 'comm_close':
        return this.comms.receive(type, content, buffers)
      default:
        // As ipykernel: said in the log, and not answered.
        writeSync(2, `kernel: a message of the unknown type ${JSON.stringify(type)} was dropped\n`)
    }
  }

  #reply({ channel, message }: Request, type: string, content: object): void {
    const { header, identities } = message
    this.#send({ channel, type, parent: header, content: content as Content, identities })
  }

  #status(parent: Header, state: 'busy' | 'idle'): void {
    this.#send({ channel: 'iopub', type: 'status', parent, content: { execution_state: state } })
  }
}

const contextOf = (
  { header: parent, identities }: Message,
  ways: Pick<CellContext, 'allowStdin' | 'silent'>,
): CellContext => ({ parent, identities, ...ways, payload: [], stop: new AbortController() })

/** Jupyter counts code points, JavaScript UTF-16 units. */
const utf16Offset = (text: string, count: number): number => Array.from(text).slice(0, count).join('').length
const codePoints = (text: string, offset: number): number => Array.from(text.slice(0, offset)).length
