import type { ColumnTable } from 'arquero'
import type { ComparisonRow } from '../table/comparison-table.js'
import { COLOURS, TEXT, axis, layout } from './figure.js'
import type { Figure } from './figure.js'
import { legendOnTop } from './named-runs.js'
import { scoreRows } from './score-row.js'

/** What tables of other makes may lack. */
type Counts = Partial<Pick<ComparisonRow, 'n' | 'failed'>>

/** Options of `comparison`. */
export interface ComparisonFigureOptions {
  /** Short names of sets, such as `zs.mini.labels`; default the sets' names. */
  labels?: Readonly<Record<string, string>>
  /** Above the figure. Default: what the bars are of a table that `comparisonTable` makes. */
  title?: string
}

const PATTERNS = ['', '/', 'x', '.']

/**
 * Exact match of every method on every set as bars with 95 % intervals, in-domain sets before the others. Where questions
 * failed, the method's name and the bar's tooltip say how many.
 * @param table As `comparisonTable` makes it. Averages are not plotted.
 * @example
 * await zs.display(zs.plot.comparison(zs.comparisonTable(scores), { labels: zs.mini.labels }))
 */
export function comparison(table: ColumnTable, options: ComparisonFigureOptions = {}): Figure {
  const { labels = {}, title = 'Exact match by question set, with 95 % intervals' } = options
  const rows = scoreRows<Counts>(table).filter((row) => row.dataset !== 'average')
  const methods = [...new Set(rows.map((row) => row.method))]
  const data = methods.map((method, i) => {
    const ofMethod = rows.filter((row) => row.method === method)
    const failed = ofMethod.reduce((sum, row) => sum + (row.failed ?? 0), 0)
    return {
      type: 'bar',
      name: failed > 0 ? `${method} (${failed.toLocaleString('en')} failed)` : method,
      ...(failed > 0 && {
        hovertext: ofMethod.map((row) =>
          row.failed ? `${row.failed} of ${row.n ?? '?'} questions failed, counted as wrong` : '',
        ),
      }),
      // Two levels: the domain below the names of its sets.
      x: [ofMethod.map((row) => row.domain ?? ''), ofMethod.map((row) => labels[row.dataset] ?? row.dataset)],
      y: ofMethod.map((row) => row.em),
      error_y: {
        type: 'data',
        symmetric: false,
        array: ofMethod.map((row) => row.emHigh - row.em),
        arrayminus: ofMethod.map((row) => row.em - row.emLow),
        thickness: 2,
        width: 4,
        color: TEXT,
      },
      // Pale, so that the half of the interval inside of the bar shows, on light and dark paper. When the colours are used up,
      // they come again with a pattern.
      marker: {
        color: COLOURS[i % COLOURS.length],
        opacity: 0.35,
        ...(i >= COLOURS.length && { pattern: { shape: PATTERNS[Math.floor(i / COLOURS.length) % PATTERNS.length] } }),
      },
    }
  })
  const plotHeight = 340
  const { top, layout: legend } = legendOnTop(
    data.map(({ name }) => name),
    { plotHeight, below: 8 },
  )
  return {
    data,
    layout: layout(title, {
      barmode: 'group',
      xaxis: axis({ tickangle: 0, showgrid: false, showdividers: false }),
      yaxis: axis({ title: { text: 'exact match' }, range: [0, 1] }),
      ...legend,
      margin: { l: 60, r: 20, t: top, b: 60 },
      height: plotHeight + top + 60,
    }),
  }
}
