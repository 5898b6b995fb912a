import type { ColumnTable } from 'arquero'
import { COLOURS, layout } from './figure.js'
import type { Figure } from './figure.js'
import { legendOnTop, runLine } from './named-runs.js'
import type { NamedRuns } from './named-runs.js'
import { createPanels } from './panels.js'
import { BAND_NAMES, seedBand, seedTraces } from './seed-band.js'
import type { Band, Series } from './seed-band.js'
import { isWithin, plotted, updateAxis } from './training-run.js'
import type { PlottedRun } from './training-run.js'

interface Panel {
  title: string
  column: string
  range?: [number, number]
  /** A column that is measured from time to time, shown as points. */
  points?: string
}

const unit: [number, number] = [0, 1]

const panelsOf = (reward: string): Panel[] => [
  { title: reward, column: 'reward', range: unit },
  { title: 'exact match', column: 'em', range: unit, points: 'validationEm' },
  { title: 'searches per question', column: 'searchesPerQuestion' },
  { title: 'KL to the reference, nats per token', column: 'kl' },
  { title: 'share of trajectories with an answer', column: 'answered', range: unit },
  { title: 'entropy, nats per token', column: 'entropy' },
]
const NOISE: Panel = { title: 'noise threshold', column: 'noiseThreshold', range: unit }

/** Runs by name in one figure: a colour for each name in every panel. What no run measured has no panel. */
export function compareTrainings(runs: readonly NamedRuns<PlottedRun>[], reward: string, band: Band): Figure {
  const measured = panelsOf(reward).filter(({ column }) => hasValues(runs, column, () => true))
  const noisy = hasValues(runs, NOISE.column, (value) => value !== 0)
  const panels = [...measured, ...(noisy ? [NOISE] : [])]
  const updates = runs.flatMap(({ seeds }) => seeds.flatMap(({ table }) => valuesOf(table, 'update')))
  const x = updateAxis(updates)
  const grid = createPanels(
    panels.map(({ title, column, range, points }) => {
      const all = runs.flatMap(({ seeds }) =>
        seeds.flatMap(({ table }) => [...valuesOf(table, column), ...(points ? valuesOf(table, points) : [])]),
      )
      const shows = points && hasValues(runs, points, () => true)
      return {
        title: `${title}${shows ? ': training, and validation as points' : ''}, by update`,
        x,
        y: isWithin(range, all) ? { range } : {},
      }
    }),
  )
  const labels = runs.map(({ name, seeds }) =>
    seeds.length === 1 ? name : `${name} (mean of ${seeds.length} seeds, ${BAND_NAMES[band]})`,
  )
  const data = panels.flatMap(({ column, points }, panel) =>
    (column === NOISE.column ? sameNoise(runs) : runs).flatMap(({ name, seeds }, i) => {
      const isShared = column === NOISE.column && name === ALL
      const line = isShared ? { ...runLine(0), color: COLOURS[6]! } : runLine(i)
      const trace = { name: labels[i], legendgroup: name, showlegend: false, ...grid.axesOf(panel) }
      const lines = seedTraces(seriesOf(seeds, column), { band, line, ...trace, ...(isShared && { name: 'all runs' }) })
      // Legends are made of the first panel.
      if (panel === 0 && lines.length > 0) lines.at(-1)!['showlegend'] = true
      return points ? [...lines, ...pointTraces(seriesOf(seeds, points), band, line.color, trace)] : lines
    }),
  )
  const plotHeight = grid.height
  const { top, layout: legend } = legendOnTop(labels, { plotHeight, below: 26 })
  const margin = { l: 50, r: 20, t: top, b: 40 }
  return { data, layout: layout('Training', { ...grid.layout, ...legend, height: plotHeight + top + 40, margin }) }
}

const ALL = 'all'

/** Where all runs had the same noise, it is one line. */
function sameNoise(runs: readonly NamedRuns<PlottedRun>[]): readonly NamedRuns<PlottedRun>[] {
  const tables = runs.flatMap(({ seeds }) => seeds)
  const longest = tables.reduce((a, b) => (b.table.numRows() > a.table.numRows() ? b : a))
  const whole = valuesOf(longest.table, NOISE.column)
  const isSame = tables.every(({ table }) => valuesOf(table, NOISE.column).every((value, i) => value === whole[i]))
  return isSame && runs.length > 1 ? [{ name: ALL, seeds: [longest] }] : runs
}

const columnOf = (table: ColumnTable, column: string): (number | null)[] =>
  table.columnNames().includes(column) ? Array.from(table.array(column), plotted) : []

const valuesOf = (table: ColumnTable, column: string): number[] =>
  columnOf(table, column).flatMap((value) => value ?? [])

const hasValues = (runs: readonly NamedRuns<PlottedRun>[], column: string, test: (value: number) => boolean): boolean =>
  runs.some(({ seeds }) => seeds.some(({ table }) => valuesOf(table, column).some(test)))

const seriesOf = (seeds: readonly PlottedRun[], column: string): Series[] =>
  seeds.map(({ table }) => {
    const values = columnOf(table, column)
    return new Map(
      columnOf(table, 'update').flatMap((update, i) => (update === null ? [] : [[update, values[i] ?? null]])),
    )
  })

/** Measures between which there is nothing: their means, with the band as error bars. */
function pointTraces(
  seeds: readonly Series[],
  band: Band,
  color: string,
  trace: Record<string, unknown>,
): Record<string, unknown>[] {
  const points = seedBand(seeds, band)
  if (points.length === 0) return []
  const error = {
    ...{ type: 'data', symmetric: false, thickness: 1.5, width: 3, color },
    array: points.map(({ high, mean }) => high - mean),
    arrayminus: points.map(({ low, mean }) => mean - low),
  }
  const marks = {
    ...{ ...trace, type: 'scatter', mode: 'markers', cliponaxis: false, marker: { color, size: 8, symbol: 'diamond' } },
    ...{ x: points.map(({ x }) => x), y: points.map(({ mean }) => mean) },
  }
  return [seeds.length > 1 ? { ...marks, error_y: error } : marks]
}
