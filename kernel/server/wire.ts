// The kernel's second thread: all sockets. Output flows, heartbeats are answered and interrupts arrive while a cell keeps the
// main thread busy.
import { writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { Reply, Router, XPublisher } from 'zeromq'
import { address } from './connection.js'
import { decodeMessage, encodeMessage, makeHeader } from './message.js'
import type { Message } from './message.js'
import { PHASE } from './thread-messages.js'
import type { FromWire, Outgoing, ToWire, WireData } from './thread-messages.js'

const { connection, phase: shared, session } = workerData as WireData
const phase = new Int32Array(shared)
const main = parentPort!
const options = { sendHighWaterMark: 0, receiveHighWaterMark: 0, linger: 1000 }
const sockets = {
  shell: new Router({ ...options, handover: true }),
  control: new Router({ ...options, handover: true }),
  stdin: new Router({ ...options, handover: true }),
  iopub: new XPublisher({ ...options }),
  hb: new Reply(),
}

/** What was printed since the last flush, one text a stream and cell: a front end gets a few large messages, not many small ones. */
const FLUSH_MS = 40
const FLUSH_CHARACTERS = 1 << 20
let printed: { message: Outgoing; texts: string[]; length: number } | undefined
let flushTimer: NodeJS.Timeout | undefined

/** One send at a time a socket, in order. */
const queues = new Map<string, Promise<void>>()
function send(
  channel: 'shell' | 'control' | 'stdin' | 'iopub',
  { type, parent, content, metadata = {}, buffers = [], identities = [] }: Omit<Outgoing, 'channel'>,
): Promise<void> {
  const ids = channel === 'iopub' ? [Buffer.from(`kernel.${session}.${type}`)] : identities
  const frames = encodeMessage(
    { identities: ids, header: makeHeader(type, session), parent: parent ?? {}, metadata, content, buffers },
    connection.key,
  )
  const socket: { send(frames: Uint8Array[]): Promise<void> } = sockets[channel]
  const sent = (queues.get(channel) ?? Promise.resolve())
    .then(() => socket.send(frames))
    .catch((error) => note(`${type} was not sent: ${String(error)}`))
  queues.set(channel, sent)
  return sent
}

function publish(message: Outgoing): void {
  if (message.type !== 'stream') {
    flush()
    void send('iopub', message)
    return
  }
  const { name, text } = message.content as { name: string; text: string }
  const same =
    printed && printed.message.content['name'] === name && printed.message.parent?.msg_id === message.parent?.msg_id
  if (!same) {
    flush()
    printed = { message, texts: [], length: 0 }
  }
  printed!.texts.push(text)
  printed!.length += text.length
  if (printed!.length >= FLUSH_CHARACTERS) flush()
  else flushTimer ??= setTimeout(flush, FLUSH_MS)
}

function flush(): void {
  clearTimeout(flushTimer)
  flushTimer = undefined
  if (!printed) return
  const { message, texts } = printed
  printed = undefined
  void send('iopub', { ...message, content: { ...message.content, text: texts.join('') } })
}

/** To the kernel's own log: the standard error of the process, past what the main thread makes of it. */
const note = (text: string): void => void writeSync(2, `kernel: ${text}\n`)
const tell = (message: FromWire): void => main.postMessage(message)

async function receive(channel: 'shell' | 'control' | 'stdin'): Promise<void> {
  for await (const frames of sockets[channel]) {
    let message: Message
    try {
      message = decodeMessage(frames, connection.key)
    } catch (error) {
      note(`a message on ${channel} was dropped: ${(error as Error).message}`)
      continue
    }
    const { header, content } = message
    if (channel === 'control' && header.msg_type === 'interrupt_request') {
      interrupt()
      control(message, 'interrupt_reply', { status: 'ok' })
    } else if (header.msg_type === 'shutdown_request') {
      await shutdown(channel === 'control' ? channel : 'shell', message, content['restart'] === true)
    } else tell({ kind: 'request', channel, message })
  }
}

function control({ header, identities }: Message, type: string, content: Record<string, unknown>): void {
  publish({ channel: 'iopub', type: 'status', parent: header, content: { execution_state: 'busy' } })
  void send('control', { type, parent: header, content, identities })
  publish({ channel: 'iopub', type: 'status', parent: header, content: { execution_state: 'idle' } })
}

async function shutdown(
  channel: 'shell' | 'control',
  { header, identities }: Message,
  restart: boolean,
): Promise<void> {
  flush()
  await send(channel, { type: 'shutdown_reply', parent: header, content: { status: 'ok', restart }, identities })
  await send('iopub', { type: 'shutdown_reply', parent: header, content: { status: 'ok', restart } })
  end(0)
}

/** Long enough for the front end to receive what was sent last. */
const LINGER_MS = 100
/** By signal, from outside of JavaScript: a main thread that is busy can't stand in the way. */
function end(code: number): void {
  setTimeout(() => process.kill(process.pid, code === 0 ? 'SIGTERM' : 'SIGKILL'), LINGER_MS)
}

/**
 * A cell that awaits is told at once, and loops of cells look for it. A loop in a library, called without an await, is ended
 * by the signal that Node's `vm` waits for. What holds the main thread beyond that can't be stopped in JavaScript: the kernel
 * says so and ends, and Jupyter starts it anew.
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

/** A server that was killed can't shut its kernels down: they notice that they are nobody's, as ipykernel does. */
const PARENT_POLL_MS = 1000
if (process.env['JPY_PARENT_PID']) {
  const parent = process.ppid
  setInterval(() => process.ppid !== parent && end(1), PARENT_POLL_MS).unref()
}

let running: Outgoing['parent']
function tellOfRestart(): void {
  const text =
    'The cell could not be interrupted: it is inside a call that does not return to JavaScript. The kernel restarts; variables are lost.\n'
  publish({ channel: 'iopub', type: 'stream', parent: running, content: { name: 'stderr', text } })
  flush()
}

main.on('message', (message: ToWire) => {
  if (message.kind === 'drain') tell({ kind: 'drained', ticket: message.ticket })
  else if (message.message.channel === 'iopub') {
    if (message.message.type === 'execute_input') running = message.message.parent
    publish(message.message)
  } else {
    flush()
    void send(message.message.channel, message.message)
  }
})

async function welcome(): Promise<void> {
  for await (const [subscription] of sockets.iopub) {
    if (!subscription || subscription[0] !== 1) continue
    const topic = Buffer.from(subscription.subarray(1)).toString()
    void send('iopub', { type: 'iopub_welcome', parent: undefined, content: { subscription: topic } })
  }
}

async function heartbeat(): Promise<void> {
  for await (const frames of sockets.hb) await sockets.hb.send(frames)
}

// First the one that front ends listen to, so that they miss nothing of what they ask for on the others.
for (const channel of ['iopub', 'hb', 'stdin', 'control', 'shell'] as const)
  await sockets[channel].bind(address(connection, channel))
void welcome()
void heartbeat()
for (const channel of ['shell', 'control', 'stdin'] as const) void receive(channel)
