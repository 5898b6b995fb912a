import { AsyncResource } from 'node:async_hooks'
import { createHash } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { inspect } from 'node:util'
import { jupyter } from '../host/jupyter.js'
import type { Comm, Comms } from '../host/jupyter.js'
import { joinBuffers, separateBuffers } from './buffers.js'
import type { Separated } from './buffers.js'

/** Messages of the page: of a widget, and of the page's widget manager. */
interface Message {
  method: 'update' | 'request_state' | 'custom' | 'request_states'
  state?: Record<string, unknown>
  buffer_paths?: Separated['paths']
  content?: unknown
}

const DISPLAY: unique symbol = Symbol.for('Jupyter.display')
const PROTOCOL_VERSION = '2.1.0'
// Any version: whichever anywidget the JupyterLab at hand has, the few functions used here are the same.
const MODEL = { model_module: 'anywidget', model_name: 'AnyModel', model_module_version: '*' }
const VIEW = { _view_module: 'anywidget', _view_name: 'AnyView', _view_module_version: '*', _view_count: null }

/** Options of `widget`. */
export interface WidgetOptions<State extends object> {
  /** An ES module as text: `export default { render({ model, el }) { … } }`, see anywidget.dev. */
  esm: string
  /** Style sheet as text. Default none. */
  css?: string
  /** What the notebook and the page share: JSON, and bytes as typed arrays. */
  state: State
}

type Name<State> = keyof State & string

/** Every widget's whole state, by its id: a page that was loaded anew asks for all of them. */
const widgets = new Map<string, () => Record<string, unknown>>()

/**
 * A part of the page that shares its state with the notebook. It works like anywidget: this object has the same methods
 * (`get`, `set`, `on`, `send`) as the module's `model` has on the page. It shows itself where a cell ends with it.
 */
export class Widget<State extends object> {
  readonly #state: State
  readonly #fixed: Record<string, unknown>
  readonly #events = new EventEmitter()
  readonly #comm: Comm
  #open = true

  /** @throws {Error} outside of the notebook's kernel */
  constructor({ esm, css = '', state }: WidgetOptions<State>) {
    const reserved = Object.keys(state).find((name) => name.startsWith('_'))
    if (reserved !== undefined)
      throw new Error(`widget: names of the state must not begin with _ (the protocol uses those), got ${reserved}`)
    this.#state = { ...state }
    // The page keeps one style sheet for each id.
    const id = createHash('sha256').update(esm).update('\0').update(css).digest('hex').slice(0, 16)
    this.#fixed = {
      ...Object.fromEntries(Object.entries(MODEL).map(([name, value]) => [`_${name}`, value])),
      ...VIEW,
      _esm: esm,
      _css: css,
      _anywidget_id: `zerosearch.${id}`,
    }
    const comms = notebookComms()
    answerPages(comms)
    const { json, paths, buffers } = separateBuffers(this.#whole())
    const metadata = { version: PROTOCOL_VERSION }
    this.#comm = comms.open('jupyter.widget', { state: json, buffer_paths: paths }, { metadata, buffers })
    this.#comm.onMessage = (message, buffers) => this.#receive(message, buffers)
    this.#comm.onClose = () => this.#closed()
    widgets.set(this.#comm.id, () => this.#whole())
  }

  /** A value of the state, as it is now. */
  get<K extends Name<State>>(name: K): State[K] {
    return this.#state[name]
  }

  /** Sets a value here and on the page. A list or object that was changed in place must be set to be sent. */
  set<K extends Name<State>>(name: K, value: State[K]): void {
    if (!Object.hasOwn(this.#state, name))
      throw new Error(`widget: a name of its state is needed (${Object.keys(this.#state).join(', ')}), got ${name}`)
    if (Object.is(value, this.#state[name]) && typeof value !== 'object') return
    this.#state[name] = value
    this.#send('update', { [name]: value })
    this.#events.emit(`change:${name}`, value)
  }

  /**
   * Calls back when a value has changed, here or on the page, or when the page's `model.send` sent something. What is
   * printed then goes to the cell that called `on`.
   * @returns ends it
   */
  on<K extends Name<State>>(event: `change:${K}`, handler: (value: State[K]) => void): () => void
  on(event: 'msg:custom', handler: (content: unknown, buffers: Uint8Array[]) => void): () => void
  on(event: string, handler: (...values: never[]) => void): () => void {
    const bound = AsyncResource.bind(handler as (...values: unknown[]) => void)
    this.#events.on(event, bound)
    return () => void this.#events.off(event, bound)
  }

  /** Sends something that is no state to the page, where `model.on('msg:custom', …)` gets it. */
  send(content: unknown, buffers: Uint8Array[] = []): void {
    if (this.#open) this.#comm.send({ method: 'custom', content }, { buffers })
  }

  /** Takes the widget off the page; its state stays readable here. */
  close(): void {
    if (!this.#open) return
    this.#comm.close()
    this.#closed()
  }

  /** @internal */
  [DISPLAY](): Record<string, unknown> {
    const view = { version_major: 2, version_minor: 1, model_id: this.#comm.id }
    return { 'application/vnd.jupyter.widget-view+json': view, 'text/plain': this[inspect.custom]() }
  }

  /** @internal */
  [inspect.custom](): string {
    return `Widget ${inspect(this.#state)}`
  }

  #whole(): Record<string, unknown> {
    return { ...this.#fixed, ...this.#state }
  }

  #receive(data: unknown, buffers: Uint8Array[]): void {
    const message = objectOf(data) as Partial<Message>
    if (message.method === 'request_state') this.#send('update', this.#whole())
    else if (message.method === 'custom') this.#events.emit('msg:custom', message.content, buffers)
    else if (message.method === 'update') {
      const given = objectOf(message.state)
      const paths = Array.isArray(message.buffer_paths) ? message.buffer_paths : []
      const refused = joinBuffers({ json: given, paths, buffers })
      if (refused.length > 0)
        console.warn(
          `widget: bytes must come with a path to their place in the state, got ${refused.join(', ')}; they are left out`,
        )
      const state = Object.fromEntries(Object.entries(given).filter(([name]) => Object.hasOwn(this.#state, name)))
      // For the other pages that show this notebook; the one that sent it waits for it.
      this.#send('echo_update', state)
      const before = { ...this.#state } as Record<string, unknown>
      Object.assign(this.#state, state)
      for (const [name, value] of Object.entries(state))
        if (!Object.is(value, before[name])) this.#events.emit(`change:${name}`, value)
    }
  }

  #send(method: 'update' | 'echo_update', state: Record<string, unknown>): void {
    if (!this.#open) return
    const { json, paths, buffers } = separateBuffers(state)
    this.#comm.send({ method, state: json, buffer_paths: paths }, { buffers })
  }

  #closed(): void {
    this.#open = false
    widgets.delete(this.#comm.id)
  }
}

/**
 * Makes a widget from an anywidget module.
 * @throws {Error} outside of the notebook's kernel, and where a name of the state begins with `_`
 * @example
 * const esm = "export default { render({ model, el }) { el.textContent = model.get('text') } }"
 * const note = zs.widget({ esm, state: { text: 'training' } })
 * note.set('text', 'done')
 */
export function widget<State extends object>(options: WidgetOptions<State>): Widget<State> {
  return new Widget(options)
}

/** What a page sends may be anything. */
function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function notebookComms(): Comms {
  const comms = jupyter()?.comms
  if (!comms)
    throw new Error(
      'widget: only a notebook can show one, and this code does not run in a notebook; run it in a cell of a notebook with the kernel "TypeScript (zerosearch)"',
    )
  return comms
}

let answering = false
/** A page that was loaded anew asks for all widgets. */
function answerPages(comms: Comms): void {
  if (answering) return
  answering = true
  comms.register('jupyter.widget.control', (comm) => {
    comm.onMessage = (message) => {
      if (objectOf(message)['method'] !== 'request_states') return
      const all = Object.fromEntries([...widgets].map(([id, whole]) => [id, { ...MODEL, state: whole() }]))
      const { json, paths, buffers } = separateBuffers(all)
      comm.send({ method: 'update_states', states: json, buffer_paths: paths }, { buffers })
    }
  })
}
