import type { Connection } from './connection.js'
import type { Header, Message } from './message.js'

/** A message that the main thread wants sent. */
export interface Outgoing {
  channel: 'shell' | 'control' | 'stdin' | 'iopub'
  type: string
  parent: Header | undefined
  content: Record<string, unknown>
  metadata?: Record<string, unknown>
  buffers?: Uint8Array[]
  identities?: Uint8Array[]
}

export type ToWire = { kind: 'send'; message: Outgoing } | { kind: 'drain'; ticket: number }

export type FromWire =
  | { kind: 'request'; channel: 'shell' | 'control' | 'stdin'; message: Message }
  | { kind: 'interrupt' }
  | { kind: 'drained'; ticket: number }

export interface WireData {
  connection: Connection
  session: string
  phase: SharedArrayBuffer
}

/** What both threads see of the cell that runs: slots of the shared array, and the states of the first. */
export const PHASE = {
  state: 0,
  /** Counts the cells. */
  cell: 1,
  interrupted: 2,
  idle: 0,
  compiling: 1,
  running: 2,
} as const
