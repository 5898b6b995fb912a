import { inspect, types } from 'node:util'
import { WIDTH, excerpt, userFrames, windowStart } from './frames.js'
import type { Fault } from './cells/compile-cell.js'
import type { Sources } from './cells/sources.js'

/** Content of an `error` message. */
export interface ErrorContent {
  ename: string
  evalue: string
  traceback: string[]
}

/** Thrown by the stop button. */
export class Interrupted extends Error {
  override name = 'Interrupted'
}

/** What TypeScript found, as its own command line shows it: place, message, the line and a mark under it. */
export function faultsContent(faults: readonly Fault[], code: string, count: number): ErrorContent {
  const lines = code.split('\n')
  const traceback = faults.flatMap(({ line, column, length, code: number, message }) => {
    const from = windowStart(column)
    const text = (lines[line - 1] ?? '').slice(from, from + WIDTH)
    const mark = '~'.repeat(Math.max(1, Math.min(length, text.length - column + 1 + from)))
    return [
      `Cell [${count}]:${line}:${column} - error TS${number}: ${message}`,
      `  ${text}`,
      `  ${' '.repeat(column - 1 - from)}${mark}`,
    ]
  })
  return { ename: 'TypeScriptError', evalue: faults[0]!.message, traceback }
}

/** Longer messages are cut: an error must always be small enough to be sent. */
const MESSAGE_CHARACTERS = 20_000
const CAUSES = 5

/**
 * What a cell threw: its message, the lines of the cell's TypeScript where it was thrown, and the frames of the user's code.
 * Never throws, whatever the value is.
 */
export function errorContent(error: unknown, sources: Sources): ErrorContent {
  try {
    // Node's own error, where the signal ended a call of a cell.
    if ((error as { code?: unknown } | undefined)?.code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED')
      return errorContent(new Interrupted('The cell was interrupted.'), sources)
    if (!isError(error)) {
      const text = shorten(typeof error === 'string' ? error : inspect(error))
      return { ename: 'Thrown', evalue: text, traceback: [`Thrown: ${text}`] }
    }
    return { ename: nameOf(error), evalue: messageOf(error), traceback: tracebackOf(error, sources, CAUSES) }
  } catch {
    const text = 'a value that can’t be shown: it throws when it is read'
    return { ename: 'Thrown', evalue: text, traceback: [`Thrown: ${text}`] }
  }
}

const isError = (value: unknown): value is Error => types.isNativeError(value) || value instanceof Error

function tracebackOf(error: Error, sources: Sources, causes: number): string[] {
  const [name, message] = [nameOf(error), messageOf(error)]
  // The frames are at its end; a message before them may be of any length.
  const frames = userFrames(read(error, 'stack', '').slice(-MESSAGE_CHARACTERS), sources, causes === CAUSES)
  const place = frames.find((frame) => frame.place)?.place
  return [
    message === '' ? name : `${name}: ${message}`,
    ...(place ? excerpt(place) : []),
    ...frames.map(({ text }) => text),
    ...propertiesOf(error),
    ...causesOf(error).flatMap(([label, cause]) => {
      if (causes === 0) return [`${label}: …`]
      const [first, ...rest] = isError(cause) ? tracebackOf(cause, sources, causes - 1) : [shorten(inspect(cause))]
      return [`${label}: ${first}`, ...rest]
    }),
  ]
}

const SHOWN_ALREADY = ['name', 'message', 'stack', 'cause', 'errors']

/** What else an error says, such as the `code` and `path` of Node's. */
function propertiesOf(error: Error): string[] {
  const keys = Object.keys(error).filter((key) => !SHOWN_ALREADY.includes(key))
  return keys.map((key) => {
    const lines = read(error, key, 'undefined', (value) => inspect(value, { depth: 2 })).split('\n')
    return shorten(`    ${key}: ${lines.join('\n    ')}`)
  })
}

function causesOf(error: Error): [label: string, cause: unknown][] {
  const all = error instanceof AggregateError ? [...(error.errors as unknown[])].slice(0, CAUSES) : []
  const errors = all.map((each): [string, unknown] => ['One of its errors', each])
  return error.cause === undefined ? errors : [['Caused by', error.cause], ...errors]
}

const nameOf = (error: Error): string => read(error, 'name', 'Error') || 'Error'
const messageOf = (error: Error): string => shorten(read(error, 'message', ''))

/** A property as text, whatever it is and does. */
function read(error: Error, key: string, otherwise: string, show = textOf): string {
  try {
    const value = (error as unknown as Record<string, unknown>)[key]
    return value === undefined ? otherwise : show(value)
  } catch {
    return `(its ${key} throws when it is read)`
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : inspect(value))

const shorten = (text: string): string =>
  text.length <= MESSAGE_CHARACTERS
    ? text
    : `${text.slice(0, MESSAGE_CHARACTERS)}… (${text.length - MESSAGE_CHARACTERS} more characters)`
