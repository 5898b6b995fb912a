import { randomUUID } from 'node:crypto'
import type { Outputs } from './outputs.js'

interface SendOptions {
  metadata?: Record<string, unknown>
  buffers?: Uint8Array[]
}

/** One end of a comm; the other is in the front end (Jupyter messaging, "Custom messages"). */
export interface Comm {
  readonly id: string
  readonly target: string
  send(data: unknown, options?: SendOptions): void
  close(data?: unknown): void
  onMessage?: (data: unknown, buffers: Uint8Array[]) => void
  onClose?: (data: unknown) => void
}

type OnOpen = (comm: Comm, data: unknown, buffers: Uint8Array[]) => void

interface CommContent {
  comm_id: string
  target_name?: string
  data?: unknown
}

export class Comms {
  readonly #outputs: Outputs
  readonly #open = new Map<string, Comm>()
  readonly #targets = new Map<string, OnOpen>()

  constructor(outputs: Outputs) {
    this.#outputs = outputs
  }

  register(target: string, onOpen: OnOpen): void {
    this.#targets.set(target, onOpen)
  }

  open(target: string, data: unknown = {}, options: SendOptions = {}): Comm {
    const comm = this.#create(randomUUID().replaceAll('-', ''), target)
    this.#outputs.publish('comm_open', { comm_id: comm.id, target_name: target, data }, options)
    return comm
  }

  info(target?: string): Record<string, { target_name: string }> {
    const comms = [...this.#open.values()].filter((comm) => target === undefined || comm.target === target)
    return Object.fromEntries(comms.map((comm) => [comm.id, { target_name: comm.target }]))
  }

  /** Handles `comm_open`, `comm_msg` and `comm_close` of the front end. */
  receive(type: string, content: Record<string, unknown>, buffers: Uint8Array[]): void {
    const { comm_id: id, target_name: target = '', data = {} } = content as unknown as CommContent
    if (type === 'comm_open') {
      const onOpen = this.#targets.get(target)
      if (onOpen) onOpen(this.#create(id, target), data, buffers)
      else this.#outputs.publish('comm_close', { comm_id: id, data: {} })
      return
    }
    const comm = this.#open.get(id)
    if (type === 'comm_msg') comm?.onMessage?.(data, buffers)
    else {
      this.#open.delete(id)
      comm?.onClose?.(data)
    }
  }

  #create(id: string, target: string): Comm {
    const comm: Comm = {
      id,
      target,
      send: (data, options = {}) => this.#outputs.show('comm_msg', { comm_id: id, data }, options),
      close: (data = {}) => {
        if (this.#open.delete(id)) this.#outputs.publish('comm_close', { comm_id: id, data })
      },
    }
    this.#open.set(id, comm)
    return comm
  }
}
