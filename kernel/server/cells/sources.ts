import { SourceMap } from 'node:module'
import { applyEdits, originalOffset } from './analysis.js'
import type { Edit } from './analysis.js'

/** A compiled cell, or a compiled TypeScript file beside the notebook, as tracebacks need it. */
export interface CompiledSource {
  /** What tracebacks call it: "Cell [3]", or the file's path. */
  name: string
  /** The TypeScript. */
  code: string
  /** What was changed in it before it was compiled. */
  edits: Edit[]
  /** Source map of the compiled text, to the text after `edits`, one line further down. */
  map: string
  /** How many lines the compiled text has. */
  lines: number
}

/** By the file name that stack frames show. */
export type Sources = ReadonlyMap<string, CompiledSource>

/** A place in TypeScript; line and column count from 1. */
export interface Place {
  source: CompiledSource
  line: number
  column: number
}

/** Lines of the function around the compiled text that come before it. */
const LINES_BEFORE = 1

const maps = new WeakMap<CompiledSource, SourceMap>()

/** The place in the TypeScript of one in the compiled text; undefined for one in the function around it. */
export function placeIn(source: CompiledSource, row: number, column: number): Place | undefined {
  let map = maps.get(source)
  if (!map)
    maps.set(source, (map = new SourceMap(JSON.parse(source.map) as ConstructorParameters<typeof SourceMap>[0])))
  const entry = map.findEntry(row - 1 - LINES_BEFORE, column - 1)
  if (row - LINES_BEFORE > source.lines || !('originalLine' in entry) || entry.originalLine < 1) return undefined
  const offset = (lineStarts(source)[entry.originalLine - 1] ?? 0) + entry.originalColumn
  const before = source.code.slice(0, originalOffset(source.edits, offset)).split('\n')
  return { source, line: before.length, column: before.at(-1)!.length + 1 }
}

/** Where each line of the edited text starts. */
function lineStarts({ code, edits }: CompiledSource): number[] {
  const text = applyEdits(code, edits)
  const starts = [0]
  for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) starts.push(i + 1)
  return starts
}
