import { pathToFileURL } from 'node:url'
import disk from './cells/disk.cjs'
import { placeIn } from './cells/sources.js'
import type { Place, Sources } from './cells/sources.js'

/** A line of a stack trace. */
export interface Frame {
  text: string
  /** Of a frame in a cell, or in a TypeScript file beside the notebook. */
  place?: Place
}

const KERNEL = /\/dist\/kernel\/|\/node_modules\/tslab\/|\bnode:|\(native\)|at process\.processTicksAndRejections/
const PLACE = /(zerosearch-cell-\d+\.ts|(?:\/[^/()]+)+\.[cm]?ts):(\d+):(\d+)/

const isLibrary = (line: string): boolean =>
  line.includes('/node_modules/') ||
  line.includes(`${disk.HOME}/dist/`) ||
  line.includes(`${pathToFileURL(disk.HOME).href}/dist/`)

/** Such as `at Array.map (<anonymous>)`: of JavaScript itself. */
const isBuiltIn = (line: string): boolean => !/:\d+:\d+\)?$/.test(line)

/**
 * The frames of a stack trace that are the user's, with their places in TypeScript. Those of the kernel are left out, and
 * those of packages, unless there are no others and `orPackages` asks for these.
 */
export function userFrames(stack: string, sources: Sources, orPackages: boolean): Frame[] {
  const lines = stack.split('\n').filter((line) => /^\s+at /.test(line) && !KERNEL.test(line))
  const frames = lines.flatMap((line) => frameOf(line, sources))
  const ofUser = frames.filter(({ text }, i) => {
    // What JavaScript itself called, or was called by, belongs to the frame below it.
    const next = frames.slice(i).find((other) => !isBuiltIn(other.text))
    return next !== undefined && !isLibrary(text) && !isLibrary(next.text)
  })
  return ofUser.length > 0 || !orPackages ? ofUser : frames.filter(({ text }) => !isBuiltIn(text))
}

/** Nothing for a frame of the function around a cell. */
function frameOf(line: string, sources: Sources): Frame[] {
  const [where, file, row, column] = PLACE.exec(line) ?? []
  const source = sources.get(file ?? '')
  if (where === undefined || !source) return [{ text: line }]
  const place = placeIn(source, Number(row), Number(column))
  return place ? [{ text: line.replace(where, `${source.name}:${place.line}:${place.column}`), place }] : []
}

const LINES_AROUND = 2
export const WIDTH = 140

/** Of very long lines, the part around the column is shown: where it starts. */
export const windowStart = (column: number): number => Math.max(0, column - WIDTH / 2)

/** The line of a place with a mark under it, between the lines around it. */
export function excerpt({ source, line, column }: Place): string[] {
  const lines = source.code.split('\n')
  const first = Math.max(1, line - LINES_AROUND)
  const last = Math.min(lines.length, line + LINES_AROUND)
  const digits = String(last).length
  const from = windowStart(column)
  return lines.slice(first - 1, last).flatMap((text, i) => {
    const number = first + i
    const part = text.slice(from, from + WIDTH).trimEnd()
    const row = `${number === line ? '>' : ' '} ${String(number).padStart(digits)} | ${part}`.trimEnd()
    if (number !== line) return [row]
    const indent = part.slice(0, column - 1 - from).replace(/[^\t]/g, ' ')
    return [row, `  ${' '.repeat(digits)} | ${indent}^`]
  })
}
