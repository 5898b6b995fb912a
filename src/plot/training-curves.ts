import type { ColumnTable } from 'arquero'
import { COLOURS, axis, label, layout } from './figure.js'
import type { Figure } from './figure.js'

interface Panel {
  title: string
  series: [column: string, name: string][]
  range?: [number, number]
}

const PANELS: Panel[] = [
  {
    title: 'reward and exact match',
    series: [
      ['reward', 'reward (F1)'],
      ['em', 'EM, training'],
      ['validationEm', 'EM, validation'],
    ],
    range: [0, 1],
  },
  { title: 'noise threshold', series: [['noiseThreshold', 'noise threshold']], range: [0, 1] },
  { title: 'searches per question', series: [['searchesPerQuestion', 'searches']] },
  { title: 'KL to the reference, nats per token', series: [['kl', 'KL']] },
]

/**
 * What a training run did, update by update, as four small panels.
 * @param table As `trainingTable` makes it. Columns that hold no number are left out.
 */
export function trainingCurves(table: ColumnTable): Figure {
  const updates = [...table.array('update')]
  // There is nothing between one update and the next.
  const dtick = Math.max(1, Math.ceil(updates.length / 8))
  const data: Figure['data'] = []
  const axes: Record<string, unknown> = {}
  const annotations: Record<string, unknown>[] = []
  let colour = 0
  PANELS.forEach((panel, i) => {
    const n = i === 0 ? '' : String(i + 1)
    const [left, right] = i % 2 === 0 ? [0, 0.45] : [0.55, 1]
    const [low, high] = i < 2 ? [0.57, 1] : [0, 0.43]
    axes[`xaxis${n}`] = axis({ anchor: `y${n}`, domain: [left, right], tick0: updates[0], dtick })
    axes[`yaxis${n}`] = axis({ anchor: `x${n}`, domain: [low, high], ...(panel.range && { range: panel.range }) })
    annotations.push(label(`${panel.title}, by update`, left, high))
    for (const [column, name] of panel.series) {
      const values = [...table.array(column)] as (number | null)[]
      if (values.every((value) => value === null)) continue
      data.push({
        type: 'scatter',
        mode: values.filter((value) => value !== null).length > 1 ? 'lines' : 'markers',
        name,
        x: updates,
        y: values,
        connectgaps: true,
        xaxis: `x${n}`,
        yaxis: `y${n}`,
        showlegend: panel.series.length > 1,
        line: { color: COLOURS[colour++ % COLOURS.length], width: 2 },
      })
    }
  })
  const legend = { orientation: 'h', x: 0, y: 1.06, yanchor: 'bottom' }
  return {
    data,
    layout: layout('Training', {
      ...axes,
      annotations,
      legend,
      height: 560,
      margin: { l: 50, r: 20, t: 100, b: 40 },
    }),
  }
}
