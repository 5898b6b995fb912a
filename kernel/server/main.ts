// The kernel's process: node [options] main.js CONNECTION_FILE
import { randomUUID } from 'node:crypto'
import { writeSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { readConnection } from './connection.js'
import { historyFile } from './history.js'
import { Kernel } from './kernel.js'
import { InFlight } from './in-flight.js'
import { PHASE } from './thread-messages.js'
import type { FromWire, ToWire, WireData } from './thread-messages.js'

const connection = readConnection(process.argv[2]!)
const phase = new SharedArrayBuffer(4 * PHASE.slots)
const workerData: WireData = { connection, session: randomUUID(), phase }
const wire = new Worker(new URL('./wire.js', import.meta.url), { workerData, execArgv: [] })
const tell = (message: ToWire): void => wire.postMessage(message)
// Kept from before the kernel takes it away from cells.
const exit = process.exit.bind(process)
const fatal = (error: unknown): void => {
  writeSync(2, `kernel: ${error instanceof Error ? error.stack : String(error)}\n`)
  exit(1)
}
wire.on('error', fatal)

const tickets = new Map<number, () => void>()
let ticket = 0
/** Resolves when all that the front end has sent so far has arrived here. */
const drain = (): Promise<void> =>
  new Promise((resolve) => {
    tickets.set(++ticket, resolve)
    tell({ kind: 'drain', ticket })
  })

const shared = new Int32Array(phase)
const kernel = new Kernel(process.cwd(), shared, new InFlight(shared), historyFile(), tell, drain)
kernel.outputs.takeStreams()
wire.on('message', (message: FromWire) => {
  if (message.kind === 'interrupt') kernel.interrupt()
  else if (message.kind === 'drained') {
    tickets.get(message.ticket)!()
    tickets.delete(message.ticket)
  } else kernel.receive(message.request)
})
process.on('uncaughtException', (error) => kernel.uncaught(error))
process.on('unhandledRejection', (error) => kernel.uncaught(error))
// Jupyter's stop button sends a message; a terminal's Ctrl+C is for the server.
process.on('SIGINT', () => undefined)
kernel.warmUp()
