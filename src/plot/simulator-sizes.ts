import type { ColumnTable } from 'arquero'
import { z } from 'zod'
import { parseOptions } from '../schema/parse-options.js'
import { axis, layout } from './figure.js'
import type { Figure } from './figure.js'
import { legendOnTop, runLine } from './named-runs.js'
import { scoreRows } from './score-row.js'

/** Options of `simulatorSizes`. */
export interface SimulatorSizesOptions {
  /** The set that is shown; default `average`, the mean over all sets. */
  dataset?: string
}

const optionsSchema = z.strictObject({ dataset: z.string().min(1).default('average') })

/** Kind and size of a simulator: `SFT-14B`, `Prompt 3B`, `SFT-0.5B`. */
const SIZED = /^(.*?)[\s_-]*(\d+(?:\.\d+)?)B$/i

/**
 * Exact match of a policy against the size of the simulator that it was trained with, with 95 % intervals: a line for each
 * kind of simulator, and a level one for what has no size, such as a real engine.
 * @param table As `paperTable('simulator')` or `comparisonTable` makes it, with methods named by kind and size: `SFT-14B`.
 * @throws where no method's name has a size, or the set is not there
 * @example
 * await zs.display(zs.plot.simulatorSizes(zs.paperTable('simulator')))
 */
export function simulatorSizes(table: ColumnTable, options: SimulatorSizesOptions = {}): Figure {
  const { dataset } = parseOptions('simulatorSizes', optionsSchema, options)
  const rows = scoreRows(table)
  const sets = [...new Set(rows.map((row) => row.dataset))]
  const shown = rows.filter((row, i) => {
    const isLast = rows[i + 1]?.method !== row.method
    return row.dataset === dataset && (dataset !== 'average' || isLast)
  })
  if (shown.length === 0) throw new Error(`simulatorSizes: dataset must be one of ${sets.join(', ')}, got ${dataset}`)
  const named = shown.map((row) => {
    const [, kind, size] = SIZED.exec(row.method) ?? []
    return { ...row, kind: kind ?? row.method, size: size === undefined ? undefined : Number(size) }
  })
  const sizes = [...new Set(named.flatMap(({ size }) => size ?? []))].sort((a, b) => a - b)
  if (sizes.length === 0) {
    throw new Error(
      `simulatorSizes: methods must be named by kind and size, such as SFT-14B, got ${shown.map(({ method }) => method).join(', ')}`,
    )
  }
  const kinds = [...new Set(named.map(({ kind }) => kind))]
  const [first, last] = [sizes[0]! / 1.3, sizes.at(-1)! * 1.3]
  const data = kinds.map((kind, i) => {
    const points = named.filter((row) => row.kind === kind).sort((a, b) => (a.size ?? 0) - (b.size ?? 0))
    const isLevel = points[0]!.size === undefined
    const line = { ...runLine(i), ...(isLevel && { dash: 'dash' }) }
    const trace = { type: 'scatter', name: isLevel ? `${kind} (no size)` : kind, line }
    if (isLevel) return { ...trace, mode: 'lines', x: [first, last], y: [points[0]!.em, points[0]!.em] }
    return {
      ...{ ...trace, mode: 'lines+markers', marker: { size: 8, symbol: ['circle', 'square', 'diamond'][i % 3] } },
      ...{ x: points.map(({ size }) => size), y: points.map(({ em }) => em) },
      error_y: {
        ...{ type: 'data', symmetric: false, thickness: 1.5, width: 4, color: line.color },
        array: points.map(({ em, emHigh }) => emHigh - em),
        arrayminus: points.map(({ em, emLow }) => em - emLow),
      },
    }
  })
  const plotHeight = 320
  const { top, layout: legend } = legendOnTop(
    kinds.map((kind) => `${kind} (no size)`),
    { plotHeight, below: 8 },
  )
  const what = dataset === 'average' ? 'mean over sets' : dataset
  return {
    data,
    layout: layout(`Exact match by the size of the simulator (${what}), 95 % intervals`, {
      xaxis: axis({
        ...{ title: { text: 'parameters of the simulator, billions' }, type: 'log' },
        ...{ tickvals: sizes, ticktext: sizes.map(String), range: [Math.log10(first), Math.log10(last)] },
      }),
      yaxis: axis({ title: { text: 'exact match' }, rangemode: 'tozero' }),
      ...legend,
      margin: { l: 60, r: 20, t: top, b: 50 },
      height: plotHeight + top + 50,
    }),
  }
}
