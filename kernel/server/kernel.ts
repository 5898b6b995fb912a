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
import type { InFlight } from './in-flight.js'
import { jsonText } from './json.js'
import { ipythonHint } from './ipython-hint.js'
import { mimeBundle } from './mime.js'
import type { MimeBundle } from './mime.js'
import { Outputs } from './outputs.js'
import type { CellContext } from './outputs.js'
import { Stdin } from './stdin.js'
import { PHASE } from './thread-messages.js'
import type { Incoming, ToWire } from './thread-messages.js'
import { kernelInfo } from './kernel-info.js'

/** A request of a front end. */
interface Request extends Omit<Incoming, 'content'> {
  content: Content
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

/** How long an interrupted cell may take to say what goes on without it. */
const LAST_WORDS_MS = 300

/** Answers the requests of front ends, on the main thread. Cells run one after another; all else is answered in between. */
export class Kernel {
  readonly outputs: Outputs
  readonly comms: Comms
  readonly stdin: Stdin
  readonly #tell: (message: ToWire) => void
  readonly #drain: () => Promise<void>
  readonly #phase: Int32Array
  readonly #cells: Cells
  readonly #language: Language
  readonly #history: History
  readonly #queue: Request[] = []
  /** The header of the request of the cell that runs. */
  #running: string | undefined
  #count = 0
  #interrupt: (() => void) | undefined

  constructor(
    folder: string,
    phase: Int32Array,
    inFlight: InFlight,
    historyFile: string,
    tell: (message: ToWire) => void,
    drain: () => Promise<void>,
  ) {
    this.#tell = tell
    this.#drain = drain
    this.#phase = phase
    this.outputs = new Outputs(tell, inFlight)
    this.comms = new Comms(this.outputs)
    this.stdin = new Stdin(tell)
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

  receive(incoming: Incoming): void {
    const request = { ...incoming, content: JSON.parse(incoming.content) as Content }
    if (request.channel === 'stdin') this.stdin.receive(request.type, request.content)
    else if (request.type === 'execute_request') {
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
   * What ends a cell that awaits: code that listens to its signal may first print what goes on without it, and then the cell's
   * promise is abandoned.
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
    this.outputs.log(`Uncaught ${traceback.join('\n')}\n`)
  }

  async #runQueue(): Promise<void> {
    if (this.#running !== undefined) return
    for (let request = this.#queue.shift(); request; request = this.#queue.shift()) {
      this.#running = request.header
      this.#status(this.#running, 'busy')
      const { reply, stop } = await this.#execute(request).catch((error: unknown) => this.#malformed(error))
      // Requests that were sent before the front end knew of the error must not run; those from here on do.
      if (stop) await this.#drain()
      const aborted = stop ? this.#queue.splice(0) : []
      this.#reply(request, 'execute_reply', reply)
      this.#status(this.#running, 'idle')
      for (const other of aborted) {
        this.#status(other.header, 'busy')
        this.#reply(other, 'execute_reply', { status: 'aborted', execution_count: this.#count })
        this.#status(other.header, 'idle')
      }
    }
    this.#running = undefined
  }

  /** A request whose content is not what the protocol says must not hold up the next one. */
  #malformed(error: unknown): { reply: Content; stop: boolean } {
    const content = errorContent(error, this.#cells.sources)
    return { reply: { status: 'error', execution_count: this.#count, ...content }, stop: false }
  }

  /** @returns the reply, and whether what is queued must not run */
  async #execute(request: Request): Promise<{ reply: Content; stop: boolean }> {
    const { silent: isSilent, ...content } = request.content as unknown as ExecuteContent
    const { code } = content
    const silent = isSilent === true
    if (typeof code !== 'string') throw new TypeError(`execute_request: code must be a string, got ${typeof code}`)
    const context = contextOf(request, { allowStdin: content.allow_stdin === true, silent })
    if (!silent && content.store_history !== false && code.trim() !== '') this.#count++
    const execution_count = this.#count
    return this.outputs.run(context, async () => {
      if (!silent) this.outputs.publish('execute_input', { code, execution_count })
      const end = await this.#evaluate(code, execution_count, (data) => {
        if (!silent) this.outputs.publish('execute_result', { execution_count, data, metadata: {} })
      })
      if (!silent && 'ename' in end) this.outputs.publish('error', { ...end })
      const text = 'data' in end ? end.data?.['text/plain'] : undefined
      if (!silent && content.store_history !== false)
        this.#history.add(execution_count, code, typeof text === 'string' ? text : null)
      if ('ename' in end)
        return { reply: { status: 'error', execution_count, ...end }, stop: content.stop_on_error !== false }
      const user_expressions = await this.#expressions(content.user_expressions ?? {}, execution_count)
      return { reply: { status: 'ok', execution_count, payload: context.payload, user_expressions }, stop: false }
    })
  }

  /**
   * Runs code, and gives the bundle of its value to `show`. What goes wrong in either is the cell's error, and the stop button
   * ends both, for code that shows a value may take long as well.
   */
  async #evaluate(
    code: string,
    count: number,
    show: (data: MimeBundle) => void,
  ): Promise<ErrorContent | { data?: MimeBundle }> {
    if (code.trim() === '') return {}
    Atomics.add(this.#phase, PHASE.cell, 1)
    Atomics.store(this.#phase, PHASE.state, PHASE.compiling)
    let ended = false
    // A cell that was abandoned may still come to its end, and shows nothing then.
    const showUnlessEnded = (data: MimeBundle): void => {
      if (!ended) show(data)
    }
    try {
      return await new Promise((resolve, reject) => {
        this.#interrupt = this.#interrupterOf(reject)
        this.#runAndShow(code, count, showUnlessEnded).then(resolve, reject)
      })
    } catch (error) {
      return errorContent(error, this.#cells.sources)
    } finally {
      ended = true
      Atomics.store(this.#phase, PHASE.state, PHASE.idle)
      Atomics.store(this.#phase, PHASE.interrupted, 0)
      this.#interrupt = undefined
    }
  }

  async #runAndShow(
    code: string,
    count: number,
    show: (data: MimeBundle) => void,
  ): Promise<ErrorContent | { data?: MimeBundle }> {
    const end = await this.#cells.run(code, count)
    if (end.status === 'faults') return ipythonHint(code) ?? faultsContent(end.faults, code, count)
    if (end.status === 'thrown') return errorContent(end.error, this.#cells.sources)
    if (!end.hasValue) return {}
    const data = await mimeBundle(end.value)
    show(data)
    return { data }
  }

  async #expressions(expressions: Record<string, string>, count: number): Promise<Content> {
    const values: Content = {}
    for (const [name, expression] of Object.entries(expressions)) {
      // Only to find here, not in the reply, what JSON cannot hold.
      const end = await this.#evaluate(String(expression), count, (data) => jsonText(data, 'user_expressions'))
      values[name] = 'ename' in end ? { status: 'error', ...end } : { status: 'ok', data: end.data ?? {}, metadata: {} }
    }
    return values
  }

  #answer(request: Request): void {
    const { header, type } = request
    const context = contextOf(request, { allowStdin: false, silent: false })
    this.#status(header, 'busy')
    this.outputs.within(context, () => {
      try {
        this.#dispatch(request)
      } catch (error) {
        const content = errorContent(error, this.#cells.sources)
        if (type.endsWith('_request'))
          this.#reply(request, type.replace(/request$/, 'reply'), { status: 'error', ...content })
        else this.outputs.log(`${content.traceback.join('\n')}\n`)
      }
    })
    this.#status(header, 'idle')
    if (this.#running !== undefined) this.#status(this.#running, 'busy')
  }

  #dispatch(request: Request): void {
    const { type, content, buffers } = request
    const code = typeof content['code'] === 'string' ? content['code'] : ''
    const cursor = utf16Offset(code, Number(content['cursor_pos']))
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
        const data = text === undefined ? {} : { 'text/plain': text.replace(/^```\w*\n?/gm, ''), 'text/markdown': text }
        return this.#reply(request, 'inspect_reply', { status: 'ok', found: text !== undefined, data, metadata: {} })
      }
      case 'history_request': {
        const history = this.#history.find(content as unknown as Parameters<History['find']>[0])
        return this.#reply(request, 'history_reply', { status: 'ok', history })
      }
      case 'comm_info_request':
        return this.#reply(request, 'comm_info_reply', {
          status: 'ok',
          comms: this.comms.info((content['target_name'] ?? undefined) as string | undefined),
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

  #reply({ channel, header: parent, identities }: Request, type: string, reply: Content): void {
    let content: string
    try {
      content = jsonText(reply, type)
    } catch (error) {
      content = jsonText({ status: 'error', ...errorContent(error, this.#cells.sources) }, type)
    }
    this.#tell({ kind: 'send', message: { channel, type, parent, content, identities } })
  }

  #status(parent: string, state: 'busy' | 'idle'): void {
    const content = jsonText({ execution_state: state }, 'status')
    this.#tell({ kind: 'send', message: { channel: 'iopub', type: 'status', parent, content } })
  }
}

const contextOf = (
  { header: parent, identities }: Request,
  ways: Pick<CellContext, 'allowStdin' | 'silent'>,
): CellContext => ({ parent, identities, ...ways, payload: [], stop: new AbortController() })

/** Jupyter counts code points, JavaScript UTF-16 units. */
const utf16Offset = (text: string, count: number): number => Array.from(text).slice(0, count).join('').length
const codePoints = (text: string, offset: number): number => Array.from(text.slice(0, offset)).length
