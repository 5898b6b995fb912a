// The kernel's second thread, which has all sockets. Output flows, heartbeats are answered and interrupts arrive while a cell keeps the
// main thread busy.
import { writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { Reply, Router, XPublisher } from 'zeromq'
import { address } from './connection.js'
import { InFlight } from './in-flight.js'
import { jsonText } from './json.js'
import { decodeMessage, encodeMessage, makeHeader } from './message.js'
import { HIGH_WATER_MARK, Publisher } from './publisher.js'
import { PHASE } from './thread-messages.js'
import type { FromWire, Incoming, Outgoing, Printed, ToWire, WireData } from './thread-messages.js'

const { connection, phase: shared, session } = workerData as WireData
const phase = new Int32Array(shared)
const inFlight = new InFlight(phase)
const main = parentPort!

/** To the kernel's own log: the standard error of the process, past what the main thread makes of it. */
const note = (text: string): void => void writeSync(2, `kernel: ${text}\n`)
const tell = (message: FromWire): void => main.postMessage(message)

// ZeroMQ warns that an option set on a bound socket waits for the next one. The one set here (publisher.ts) does not.
process.removeAllListeners('warning')
const options = { sendHighWaterMark: 0, receiveHighWaterMark: 0, linger: 1000 }
const sockets = {
  shell: new Router({ ...options, handover: true }),
  control: new Router({ ...options, handover: true }),
  stdin: new Router({ ...options, handover: true }),
  // Verbose, so that each front end is welcomed, not only the first one.
  iopub: new XPublisher({ ...options, sendHighWaterMark: HIGH_WATER_MARK, noDrop: true, verbosity: 'allSubs' }),
  hb: new Reply(),
}
const publisher = new Publisher(sockets.iopub, note)

/** One send at a time a socket, in order. */
const queues = new Map<string, Promise<void>>()
function send(channel: Outgoing['channel'], message: Omit<Outgoing, 'channel'>): Promise<void> {
  const { type, parent, content, metadata = '{}', buffers = [], identities = [], size = 0 } = message
  const ids = channel === 'iopub' ? [Buffer.from(`kernel.${session}.${type}`)] : identities
  const header = jsonText(makeHeader(type, session), type)
  const socket: { send(frames: Uint8Array[]): Promise<void> } = channel === 'iopub' ? publisher : sockets[channel]
  const sent = (queues.get(channel) ?? Promise.resolve())
    .then(() =>
      socket.send(encodeMessage({ identities: ids, header, parent, metadata, content, buffers }, connection.key)),
    )
    .catch((error) => note(`${type} was not sent: ${String(error)}`))
    .finally(() => inFlight.remove(size))
  queues.set(channel, sent)
  return sent
}

/** What was printed since the last flush, by one cell to one stream: a front end gets a few large messages, not many small ones. */
const FLUSH_MS = 40
const FLUSH_CHARACTERS = 1 << 20
let printed: (Omit<Printed, 'text'> & { texts: string[]; length: number }) | undefined
let flushTimer: NodeJS.Timeout | undefined

function print({ text, ...more }: Printed): void {
  if (printed?.name !== more.name || printed.parent !== more.parent) {
    flush()
    printed = { ...more, size: 0, texts: [], length: 0 }
  }
  printed.texts.push(text)
  printed.length += text.length
  printed.size += more.size
  if (printed.length >= FLUSH_CHARACTERS) flush(true)
  else flushTimer ??= setTimeout(flush, FLUSH_MS, true)
}

/** @param goesOn whether the stream may go on: then the first half of a character waits for the second */
function flush(goesOn = false): void {
  clearTimeout(flushTimer)
  flushTimer = undefined
  if (!printed) return
  const { name, parent, size, texts } = printed
  const all = texts.join('')
  const rest = goesOn ? (/[\ud800-\udbff]$/.exec(all)?.[0] ?? '') : ''
  const text = all.slice(0, all.length - rest.length)
  printed = rest === '' ? undefined : { name, parent, size: 0, texts: [rest], length: rest.length }
  if (text === '') inFlight.remove(size)
  else void send('iopub', { type: 'stream', parent, content: jsonText({ name, text }, 'stream'), size })
}

function publish(message: Omit<Outgoing, 'channel'>): void {
  flush()
  void send('iopub', message)
}

async function receive(channel: Incoming['channel']): Promise<void> {
  for await (const frames of sockets[channel]) {
    try {
      await answer(channel, frames)
    } catch (error) {
      note(`a message on ${channel} was dropped: ${(error as Error).message}`)
    }
  }
}

async function answer(channel: Incoming['channel'], frames: Uint8Array[]): Promise<void> {
  const { header, content, contentText, identities, buffers } = decodeMessage(frames, connection.key)
  const type = header.msg_type
  const request = { channel, type, header: jsonText(header, type), content: contentText, identities, buffers }
  if (channel === 'control' && type === 'interrupt_request') {
    interrupt()
    control(request, 'interrupt_reply', { status: 'ok' })
  } else if (channel !== 'stdin' && type === 'shutdown_request') {
    await shutdown(channel, request, content['restart'] === true)
  } else tell({ kind: 'request', request })
}

function control({ header: parent, identities }: Incoming, type: string, content: object): void {
  const status = (state: string): string => jsonText({ execution_state: state }, 'status')
  publish({ type: 'status', parent, content: status('busy') })
  void send('control', { type, parent, content: jsonText(content, type), identities })
  publish({ type: 'status', parent, content: status('idle') })
}

async function shutdown(
  channel: 'shell' | 'control',
  { header: parent, identities }: Incoming,
  restart: boolean,
): Promise<void> {
  flush()
  const reply = { type: 'shutdown_reply', parent, content: jsonText({ status: 'ok', restart }, 'shutdown_reply') }
  await send(channel, { ...reply, identities })
  // A front end that does not read its output does not keep the kernel alive.
  await Promise.race([send('iopub', reply), new Promise((resolve) => setTimeout(resolve, LAST_OUTPUT_MS))])
  end(0)
}
const LAST_OUTPUT_MS = 500

/** Long enough for the front end to receive what was sent last. */
const LINGER_MS = 100
/** By signal, from outside of JavaScript: a main thread that is busy can't stand in the way. */
function end(code: number): void {
  setTimeout(() => process.kill(process.pid, code === 0 ? 'SIGTERM' : 'SIGKILL'), LINGER_MS)
}

/**
 * A cell that awaits is told at once, and loops and functions of cells look for it (cells/stop-checks.ts). A loop in a
 * package is ended by the signal that Node's `vm` waits for, if the cell has not awaited before. Nothing in JavaScript can
 * stop what still holds the main thread after that: the kernel says so and ends, and Jupyter starts it anew.
 */
const SIGNAL_AFTER_MS = 100
const RESTART_AFTER_MS = 5000
function interrupt(): void {
  if (Atomics.load(phase, PHASE.state) === PHASE.idle) return
  const cell = Atomics.load(phase, PHASE.cell)
  Atomics.store(phase, PHASE.interrupted, 1)
  tell({ kind: 'interrupt' })
  const later = (ms: number, act: () => void): void => {
    setTimeout(() => {
      if (Atomics.load(phase, PHASE.interrupted) && Atomics.load(phase, PHASE.cell) === cell) act()
    }, ms)
  }
  later(SIGNAL_AFTER_MS, () => process.kill(process.pid, 'SIGINT'))
  later(RESTART_AFTER_MS, () => {
    tellOfRestart()
    end(1)
  })
}

/** A server that was killed can't shut its kernels down: they notice that their parent is gone, as ipykernel does. */
const PARENT_POLL_MS = 1000
if (process.env['JPY_PARENT_PID']) {
  const parent = process.ppid
  setInterval(() => process.ppid !== parent && end(1), PARENT_POLL_MS).unref()
}

let running = '{}'
function tellOfRestart(): void {
  const text =
    'The cell could not be interrupted: it is inside a call that does not return to JavaScript. The kernel restarts; variables are lost.\n'
  print({ name: 'stderr', text, parent: running, size: 0 })
  flush()
}

main.on('message', (message: ToWire) => {
  if (message.kind === 'drain') tell({ kind: 'drained', ticket: message.ticket })
  else if (message.kind === 'print') print(message.printed)
  else {
    if (message.message.type === 'execute_input') running = message.message.parent
    flush()
    void send(message.message.channel, message.message)
  }
})

async function welcome(): Promise<void> {
  for await (const [subscription] of sockets.iopub) {
    if (!subscription || subscription[0] !== 1) continue
    const topic = Buffer.from(subscription.subarray(1)).toString()
    void send('iopub', {
      type: 'iopub_welcome',
      parent: '{}',
      content: jsonText({ subscription: topic }, 'iopub_welcome'),
    })
  }
}

async function heartbeat(): Promise<void> {
  for await (const frames of sockets.hb) await sockets.hb.send(frames)
}

// First the one that front ends listen to, so that they miss nothing of what they ask for on the others.
for (const channel of ['iopub', 'hb', 'stdin', 'control', 'shell'] as const)
  await sockets[channel].bind(address(connection, channel))
// From here on, whatever one message does to this thread, the next one is served: without it a notebook is dead.
process.on('uncaughtException', (error) => note(`in the wire thread: ${error.stack ?? String(error)}`))
void welcome()
void heartbeat()
for (const channel of ['shell', 'control', 'stdin'] as const) void receive(channel)
