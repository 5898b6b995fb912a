import type { ColumnTable } from 'arquero'
import { COLOURS, axis, label, layout } from './figure.js'
import type { Figure } from './figure.js'

interface Panel {
  title: string
  series: [column: string, name: string][]
  /** Of the axis, unless a value lies outside: a reward of the user's own may. */
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
 * @param table As `trainingTable` makes it. Columns that hold no finite number are left out.
 * @example
 * await zs.display(zs.plot.trainingCurves(zs.trainingTable(records)))
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
    annotations.push(label(`${panel.title}, by update`, left, high))
    const all: number[] = []
    for (const [column, name] of panel.series) {
      const values = Array.from(table.array(column), plotted)
      if (values.every((value) => value === null)) continue
      for (const value of values) if (value !== null) all.push(value)
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
    const { range } = panel
    const within = range && all.every((value) => value >= range[0] && value <= range[1])
    axes[`yaxis${n}`] = axis({ anchor: `x${n}`, domain: [low, high], ...(within && { range }) })
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

/** A run that diverged has a gap there, as has what was not measured. */
const plotted = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null)
