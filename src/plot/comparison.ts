import type { ColumnTable } from 'arquero'
import { COLOURS, axis, layout } from './figure.js'
import type { Figure } from './figure.js'

interface Row {
  method: string
  dataset: string
  domain: string
  em: number
  emLow: number
  emHigh: number
}

/**
 * Exact match of every method on every set as bars with 95 % intervals, in-domain sets before the others.
 * @param table As `comparisonTable` makes it. Averages are left to the table.
 */
export function comparison(table: ColumnTable): Figure {
  const rows = (table.objects() as Row[]).filter((row) => row.dataset !== 'average')
  const methods = [...new Set(rows.map((row) => row.method))]
  const data = methods.map((method, i) => {
    const own = rows.filter((row) => row.method === method)
    return {
      type: 'bar',
      name: method,
      // Two levels: the domain below the names of its sets.
      x: [
        own.map((row) => row.domain),
        own.map((row) => row.dataset.replace(/^mini-/, '').replace('wikimultihopqa', 'wiki')),
      ],
      y: own.map((row) => row.em),
      error_y: {
        type: 'data',
        symmetric: false,
        array: own.map((row) => row.emHigh - row.em),
        arrayminus: own.map((row) => row.em - row.emLow),
        thickness: 1,
        width: 2,
        color: '#7a7a7a',
      },
      marker: { color: COLOURS[i % COLOURS.length] },
    }
  })
  return {
    data,
    layout: layout('Exact match by question set, with 95 % intervals', {
      barmode: 'group',
      xaxis: axis({ tickangle: 0, showgrid: false, showdividers: false }),
      yaxis: axis({ range: [0, 1] }),
      legend: { orientation: 'h', x: 0, y: 1.02, yanchor: 'bottom' },
      margin: { l: 60, r: 20, t: 80, b: 60 },
      height: 460,
    }),
  }
}
