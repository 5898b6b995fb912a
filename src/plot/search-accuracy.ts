import type { ColumnTable } from 'arquero'
import type { ComparisonRow } from '../table/comparison-table.js'
import { COLOURS, axis, layout } from './figure.js'
import type { Figure } from './figure.js'
import { legendOnTop } from './named-runs.js'
import { scoreRows } from './score-row.js'
import type { ScoreRow } from './score-row.js'

type Row = ScoreRow & Pick<ComparisonRow, 'searches'>

/** Options of `searchAccuracy`. */
export interface SearchAccuracyOptions {
  /** Short names of sets, such as `zs.mini.labels`; default the sets' names. */
  labels?: Readonly<Record<string, string>>
}

const SYMBOLS = ['circle', 'square', 'triangle-up', 'diamond', 'x', 'star', 'cross']

/**
 * Searches per question against exact match: a point for each method and set, and a large one with its 95 % interval for each
 * method's average. Up and to the left is better and cheaper.
 * @param table As `comparisonTable` makes it.
 * @example
 * await zs.display(zs.plot.searchAccuracy(zs.comparisonTable(scores), { labels: zs.mini.labels }))
 */
export function searchAccuracy(table: ColumnTable, { labels = {} }: SearchAccuracyOptions = {}): Figure {
  const rows = scoreRows<Row>(table)
  const methods = [...new Set(rows.map(({ method }) => method))]
  const data = methods.flatMap((method, i) => {
    const ofMethod = rows.filter((row) => row.method === method)
    // The last one is over all sets; a method of one set has that alone.
    const average = ofMethod.at(-1)!
    const sets = ofMethod.filter(({ dataset }) => dataset !== 'average')
    const color = COLOURS[i % COLOURS.length]!
    const symbol = SYMBOLS[i % SYMBOLS.length]!
    const trace = { type: 'scatter', legendgroup: method, cliponaxis: false }
    const marks = (points: readonly Row[], size: number, opacity: number): Record<string, unknown> => ({
      ...{ x: points.map(({ searches }) => searches), y: points.map(({ em }) => em) },
      marker: { color, symbol, size, opacity },
    })
    return [
      {
        ...{ ...trace, name: method, mode: 'markers', showlegend: false },
        ...marks(sets, 8, 0.6),
        hovertext: sets.map(({ dataset }) => `${method}, ${labels[dataset] ?? dataset}`),
      },
      {
        ...{ ...trace, name: method, mode: 'markers' },
        ...marks([average], 16, 1),
        error_y: {
          ...{ type: 'data', symmetric: false, thickness: 2, width: 5, color },
          array: [average.emHigh - average.em],
          arrayminus: [average.em - average.emLow],
        },
        hovertext: [`${method}, average`],
      },
    ]
  })
  const plotHeight = 340
  const { top, layout: legend } = legendOnTop(methods, { plotHeight, below: 8 })
  return {
    data,
    layout: layout('Searches against exact match: sets, and averages with 95 % intervals', {
      xaxis: axis({ title: { text: 'searches per question' }, rangemode: 'tozero' }),
      yaxis: axis({ title: { text: 'exact match' }, range: [0, 1] }),
      ...legend,
      margin: { l: 60, r: 20, t: top, b: 50 },
      height: plotHeight + top + 50,
    }),
  }
}
