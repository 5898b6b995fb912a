import { SourceMap } from 'node:module'
import { inspect, types } from 'node:util'
import { applyEdits, originalOffset } from './cells/analysis.js'
import type { Fault } from './cells/compile-cell.js'
import type { CellSource, Sources } from './cells/run-cell.js'

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

const CELL_PLACE = /zerosearch-cell-(\d+)\.ts:(\d+):(\d+)/
const KERNEL_FRAME =
  /dist\/kernel\/|node_modules\/tslab\/|node:(?:vm|internal|async_hooks|events)|\(native\)|at process\.processTicksAndRejections/

/** What TypeScript found, as its own command line shows it: place, message, the line and a mark under it. */
export function faultsContent(faults: readonly Fault[], code: string, count: number): ErrorContent {
  const lines = code.split('\n')
  const traceback = faults.flatMap(({ line, column, length, code: number, message }) => {
    const text = lines[line - 1] ?? ''
    const mark = '~'.repeat(Math.max(1, Math.min(length, text.length - column + 1)))
    return [
      `Cell [${count}]:${line}:${column} - error TS${number}: ${message}`,
      `  ${text}`,
      `  ${' '.repeat(column - 1)}${mark}`,
    ]
  })
  return { ename: 'TypeScriptError', evalue: faults[0]!.message, traceback }
}

/** What a cell threw; places are those of the cell's TypeScript, frames of the kernel are left out. */
export function errorContent(error: unknown, sources: Sources): ErrorContent {
  // Node's own error, where the signal ended a call of a cell.
  if ((error as { code?: string } | undefined)?.code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED')
    return errorContent(new Interrupted('The cell was interrupted.'), sources)
  if (!types.isNativeError(error) && !(error instanceof Error)) {
    const text = typeof error === 'string' ? error : inspect(error)
    return { ename: 'Thrown', evalue: text, traceback: [`Thrown: ${text}`] }
  }
  const lines = inspect(error).split('\n')
  // Node puts the line of JavaScript that threw before the message of an error that leaves a script.
  const mark = lines.findIndex((line) => /^\s*\^+$/.test(line))
  const message = lines.findIndex((line, i) => i > mark && line.startsWith(error.name))
  const traceback = lines.slice(mark >= 0 && message > mark ? message : 0).flatMap((line) => {
    if (!/^\s+at /.test(line)) return [line]
    if (KERNEL_FRAME.test(line)) return []
    const [place, id, row, column] = CELL_PLACE.exec(line) ?? []
    if (place === undefined) return [filePlace(line, sources.files)]
    const own = cellPlace(sources.cells.get(`zerosearch-cell-${id}.ts`), Number(row), Number(column))
    return own === undefined ? [] : [line.replace(place, own)]
  })
  // A promise of the kernel's own, with the kernel's frames around it left out.
  while (traceback.at(-1)?.endsWith('(<anonymous>)')) traceback.pop()
  return { ename: error.name || 'Error', evalue: error.message, traceback }
}

/** The line with the place in a TypeScript file beside the notebook, where it names one. */
function filePlace(line: string, files: Sources['files']): string {
  const [place, file, row, column] = /((?:\/[^/()]+)+\.[cm]?ts):(\d+):(\d+)/.exec(line) ?? []
  const entry = files.get(file ?? '')?.findEntry(Number(row) - 1, Number(column) - 1)
  if (!place || !entry || !('originalLine' in entry)) return line
  return line.replace(place, `${file}:${entry.originalLine + 1}:${entry.originalColumn + 1}`)
}

const maps = new WeakMap<CellSource, SourceMap>()

/** Lines of the wrapper that tslab and the kernel put before the compiled text. */
const LINES_BEFORE = 1

/** "Cell [3]:2:7"; undefined for a frame of the wrapper around a cell. */
function cellPlace(source: CellSource | undefined, row: number, column: number): string | undefined {
  if (!source) return undefined
  let map = maps.get(source)
  if (!map)
    maps.set(source, (map = new SourceMap(JSON.parse(source.map) as ConstructorParameters<typeof SourceMap>[0])))
  const entry = map.findEntry(row - 1 - LINES_BEFORE, column - 1)
  if (row - LINES_BEFORE > source.lines || !('originalLine' in entry) || entry.originalLine < 1) return undefined
  const rewritten = editedLines(source)
  const offset = (rewritten[entry.originalLine - 1] ?? 0) + entry.originalColumn
  const before = source.code.slice(0, originalOffset(source.edits, offset)).split('\n')
  return `Cell [${source.count}]:${before.length}:${before.at(-1)!.length + 1}`
}

/** Where each line of the edited text starts. */
function editedLines({ code, edits }: CellSource): number[] {
  const text = applyEdits(code, edits)
  const starts = [0]
  for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) starts.push(i + 1)
  return starts
}
