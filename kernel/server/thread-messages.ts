import type { Connection } from './connection.js'

/**
 * A message that the main thread wants sent. Its parts are JSON already: what JSON cannot hold is found where the cell shows
 * it, and never in the wire thread.
 */
export interface Outgoing {
  channel: 'shell' | 'control' | 'stdin' | 'iopub'
  type: string
  /** The header of the request that it answers; `{}` where there is none. */
  parent: string
  content: string
  metadata?: string
  buffers?: Uint8Array[]
  identities?: Uint8Array[]
  /** By how much it adds to what is in flight; 0 for the kernel's own messages. */
  size?: number
}

/** Printed text. The wire thread joins what belongs together before it becomes a message. */
export interface Printed {
  name: 'stdout' | 'stderr'
  text: string
  parent: string
  size: number
}

/** A request of a front end. */
export interface Incoming {
  channel: 'shell' | 'control' | 'stdin'
  type: string
  /** Its header, for what answers it. */
  header: string
  /** JSON of an object: as text it crosses to the main thread however deep it is nested. */
  content: string
  identities: Uint8Array[]
  buffers: Uint8Array[]
}

export type ToWire =
  { kind: 'send'; message: Outgoing } | { kind: 'print'; printed: Printed } | { kind: 'drain'; ticket: number }

export type FromWire =
  { kind: 'request'; request: Incoming } | { kind: 'interrupt' } | { kind: 'drained'; ticket: number }

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
  /** See in-flight.ts. */
  inFlight: 3,
  slots: 4,
  idle: 0,
  compiling: 1,
  running: 2,
} as const
