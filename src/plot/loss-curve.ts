import { z } from 'zod'
import { parseOptions } from '../schema/parse-options.js'
import { COLOURS, axis, layout } from './figure.js'
import type { Figure } from './figure.js'
import { legendOnTop, namedRuns, runLine } from './named-runs.js'
import type { RunsByName } from './named-runs.js'
import { BAND_NAMES, seedTraces } from './seed-band.js'
import type { Band, Series } from './seed-band.js'

/** What is plotted of a step of supervised training. */
interface LossStep {
  step: number
  loss: number
  heldOutLoss?: number
}

/** Steps of one run. */
export type LossRun = readonly LossStep[]

/** Options of `lossCurve`. */
export interface LossCurveOptions {
  /** Around the mean of several seeds: `range`, their least and largest value; or `interval`, 95 % of the mean. Default `range`. */
  band?: Band
}

const optionsSchema = z.strictObject({ band: z.enum(['range', 'interval']).default('range') })

/**
 * The loss of supervised fine-tuning, step by step, and that of held-out examples, where it was measured, as a second line.
 * @param runs Steps of a run, as `finetune` returns them, or runs by name: a colour each, of several seeds the mean with
 * a band. A loss that is not finite leaves a gap.
 * @example
 * const steps = await zs.finetune({ model, examples: 'dialogues.jsonl', heldOut: 0.1 })
 * await zs.display(zs.plot.lossCurve(steps))
 * await zs.display(zs.plot.lossCurve({ full: steps, lora: [steps, steps] }))
 */
export function lossCurve(runs: LossRun | RunsByName<LossRun>, options: LossCurveOptions = {}): Figure {
  const { band } = parseOptions('lossCurve', optionsSchema, options)
  return isRun(runs) ? figureOf(oneRun(runs)) : comparedRuns(runs, band ?? 'range')
}

const isRun = (value: unknown): value is LossRun =>
  Array.isArray(value) && value.every((step) => typeof step === 'object' && step !== null && 'step' in step)

type Measure = 'loss' | 'heldOutLoss'

/** The measured steps; `null` where the loss was not finite. */
const pointsOf = (steps: LossRun, measure: Measure): [number, number | null][] =>
  steps.flatMap(({ step, [measure]: value }) =>
    value === undefined ? [] : [[step, Number.isFinite(value) ? value : null]],
  )

function oneRun(steps: LossRun): Figure['data'] {
  const curve = (name: string, measure: Measure, color: string): Record<string, unknown>[] => {
    const points = pointsOf(steps, measure)
    if (points.length === 0 && measure === 'heldOutLoss') return []
    const [x, y] = [points.map(([step]) => step), points.map(([, loss]) => loss)]
    const mode = points.length > 1 ? 'lines' : 'markers'
    return [{ type: 'scatter', mode, name, x, y, line: { color, width: 2 } }]
  }
  const held = curve('held out', 'heldOutLoss', COLOURS[1]!)
  const [training] = curve('training', 'loss', COLOURS[0]!)
  return [{ ...training!, showlegend: held.length > 0 }, ...held]
}

function comparedRuns(runs: RunsByName<LossRun>, band: Band): Figure {
  const named = namedRuns<LossRun>('lossCurve', runs, isRun)
  const labels = named.map(({ name, seeds }) =>
    seeds.length === 1 ? name : `${name} (mean of ${seeds.length} seeds, ${BAND_NAMES[band]})`,
  )
  const data = named.flatMap(({ name, seeds }, i) => {
    const seriesOf = (measure: Measure): Series[] => seeds.map((steps) => new Map(pointsOf(steps, measure)))
    const line = runLine(i)
    const trace = { legendgroup: name, band }
    return [
      ...seedTraces(seriesOf('loss'), { ...trace, name: labels[i], line }),
      ...seedTraces(seriesOf('heldOutLoss'), { ...trace, name: `${name}, held out`, line: { ...line, dash: 'dot' } }),
    ]
  })
  return figureOf(data)
}

function figureOf(data: Figure['data']): Figure {
  const names = data.flatMap(({ name, showlegend }) => (typeof name === 'string' && showlegend !== false ? [name] : []))
  const plotHeight = 250
  const { top, layout: legend } = legendOnTop(names.length > 1 ? names : [], { plotHeight, below: 6 })
  return {
    data,
    layout: layout('Supervised fine-tuning', {
      xaxis: axis({ title: { text: 'step' } }),
      yaxis: axis({ title: { text: 'loss, nats per token' }, rangemode: 'tozero' }),
      ...legend,
      margin: { l: 60, r: 20, t: top, b: 50 },
      height: plotHeight + top + 50,
    }),
  }
}
