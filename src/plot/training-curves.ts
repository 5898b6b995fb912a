import type { ColumnTable } from 'arquero'
import { z } from 'zod'
import { parseOptions } from '../schema/parse-options.js'
import { compareTrainings } from './compared-trainings.js'
import { COLOURS, layout } from './figure.js'
import type { Figure } from './figure.js'
import { legendOnTop, namedRuns } from './named-runs.js'
import type { RunsByName } from './named-runs.js'
import { createPanels } from './panels.js'
import type { Band } from './seed-band.js'
import { isRun, isWithin, plotted, plottedRun, updateAxis } from './training-run.js'
import type { TrainingRun } from './training-run.js'

/** Options of `trainingCurves`. */
export interface TrainingCurvesOptions {
  /** What the reward is, as its label: `F1`. Default: as manifests or the names of its parts say; else no more than "reward". */
  reward?: string
  /** Around the mean of several seeds: `range`, their least and largest value; or `interval`, 95 % of the mean. Default `range`. */
  band?: Band
}

const optionsSchema = z.strictObject({
  reward: z.string().min(1).exactOptional(),
  band: z.enum(['range', 'interval']).default('range'),
})

interface Panel {
  title: string
  series: [column: string, name: string][]
  /** Of the axis, unless a value lies outside: a reward of the user's own may. */
  range?: [number, number]
}

const panelsOf = (reward: string): Panel[] => [
  {
    title: 'reward and exact match',
    series: [
      ['reward', reward],
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
 * What training runs did, update by update, in small panels. One run has a line for each measure; runs by name have a colour
 * each, and several seeds of a name are their mean with a band.
 * @param runs A run, or runs by name, as `{ grpo: records, ppo: [seed0, seed1] }`. What is no finite number leaves a gap.
 * @example
 * await zs.display(zs.plot.trainingCurves(zs.trainingTable(records)))
 * await zs.display(zs.plot.trainingCurves({ grpo: [records, records], ppo: records }, { reward: 'F1' }))
 */
export function trainingCurves(
  runs: TrainingRun | RunsByName<TrainingRun>,
  options: TrainingCurvesOptions = {},
): Figure {
  const { reward, band } = parseOptions('trainingCurves', optionsSchema, options)
  if (isRun(runs)) {
    const run = plottedRun(runs)
    return oneTraining(run.table, rewardLabel(reward ?? run.reward))
  }
  const named = namedRuns<TrainingRun>('trainingCurves', runs, isRun).map(({ name, seeds }) => ({
    name,
    seeds: seeds.map(plottedRun),
  }))
  const names = new Set(named.flatMap(({ seeds }) => seeds.map((seed) => seed.reward)))
  return compareTrainings(named, rewardLabel(reward ?? (names.size === 1 ? [...names][0] : undefined)), band ?? 'range')
}

const rewardLabel = (name: string | undefined): string => (name === undefined ? 'reward' : `reward (${name})`)

function oneTraining(table: ColumnTable, reward: string): Figure {
  const updates = [...table.array('update')] as number[]
  const panels = panelsOf(reward).map(({ series, ...panel }) => {
    const measured = series.map(([column, name]) => ({ name, values: Array.from(table.array(column), plotted) }))
    return {
      ...panel,
      isAlone: series.length === 1,
      series: measured.filter(({ values }) => values.some((y) => y !== null)),
    }
  })
  const grid = createPanels(
    panels.map(({ title, series, range }) => ({
      title: `${title}, by update`,
      x: updateAxis(updates),
      y: isWithin(
        range,
        series.flatMap(({ values }) => values),
      )
        ? { range }
        : {},
    })),
  )
  const traces = panels.flatMap(({ series, isAlone }, panel) => series.map((each) => ({ ...each, isAlone, panel })))
  const data = traces.map(({ name, values, isAlone, panel }, i) => ({
    type: 'scatter',
    mode: modeOf(values),
    name,
    x: updates,
    y: values,
    connectgaps: true,
    // A point on the last update is whole.
    cliponaxis: false,
    ...grid.axesOf(panel),
    showlegend: !isAlone,
    line: { color: COLOURS[i % COLOURS.length], width: 2 },
  }))
  const names = traces.flatMap(({ name, isAlone }) => (isAlone ? [] : [name]))
  const { top, layout: legend } = legendOnTop(names, { plotHeight: grid.height, below: 26 })
  const margin = { l: 50, r: 20, t: top, b: 40 }
  return { data, layout: layout('Training', { ...grid.layout, ...legend, height: grid.height + top + 40, margin }) }
}

/** What was measured from time to time shows when. */
function modeOf(values: readonly (number | null)[]): string {
  const measured = values.filter((value) => value !== null).length
  if (measured < 2) return 'markers'
  return measured < values.length / 2 ? 'lines+markers' : 'lines'
}
