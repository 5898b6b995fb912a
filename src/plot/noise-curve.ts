import { z } from 'zod'
import { parseOptions } from '../schema/parse-options.js'
import type { Score } from '../schema/score.js'
import { comparisonTable } from '../table/comparison-table.js'
import type { ComparisonRow } from '../table/comparison-table.js'
import { layout } from './figure.js'
import type { Figure } from './figure.js'
import { legendOnTop, runLine } from './named-runs.js'
import { createPanels } from './panels.js'

/** What a checkpoint scored where a share of its searches was noisy. */
export interface NoiseScores {
  /** Probability of noisy documents, in [0, 1]. */
  noise: number
  /** Of one method, on the same questions for every noise. */
  scores: readonly Score[]
}

const runsSchema = z.object({
  runs: z
    .record(
      z.string(),
      z.array(z.looseObject({ noise: z.number().min(0).max(1), scores: z.array(z.looseObject({})).min(1) })).min(1),
    )
    .refine((runs) => Object.keys(runs).length > 0, 'must have at least one checkpoint'),
})

/**
 * Exact match of checkpoints against the share of noisy searches, with 95 % intervals, and their searches per question beside. Over
 * several sets it is their mean, as `comparisonTable` has it.
 * @param runs What each checkpoint scored, by its name.
 * @throws where a checkpoint has no scores, or a noise lies outside of [0, 1]
 * @example
 * const runs: zs.plot.NoiseScores[] = []
 * for (const noise of [0, 0.25, 0.5, 0.75, 1]) {
 *   const quality = (search: number, seed: number) => zs.drawQuality(noise, seed, search)
 *   const methods = [zs.policyMethod('trained', policy, { searchEngine: simulator, quality })]
 *   runs.push({ noise, scores: await zs.evaluate({ methods, questions }) })
 * }
 * await zs.display(zs.plot.noiseCurve({ trained: runs }))
 */
export function noiseCurve(runs: Readonly<Record<string, readonly NoiseScores[]>>): Figure {
  parseOptions('noiseCurve', runsSchema, { runs })
  const names = Object.keys(runs)
  const x = { title: { text: 'share of noisy searches' }, range: [-0.03, 1.03], dtick: 0.25 }
  const grid = createPanels([
    { title: 'exact match, with 95 % intervals', x, y: { range: [0, 1] } },
    { title: 'searches per question', x, y: { rangemode: 'tozero' } },
  ])
  const data = names.flatMap((name, i) => {
    const points = [...runs[name]!]
      .sort((a, b) => a.noise - b.noise)
      .map(({ noise, scores }) => ({ noise, ...widest(name, scores) }))
    const line = runLine(i)
    const trace = {
      ...{ type: 'scatter', mode: 'lines+markers', name, legendgroup: name, line, cliponaxis: false },
      x: points.map(({ noise }) => noise),
    }
    return [
      {
        ...trace,
        ...grid.axesOf(0),
        y: points.map(({ em }) => em),
        error_y: {
          ...{ type: 'data', symmetric: false, thickness: 1.5, width: 3, color: line.color },
          array: points.map(({ em, emHigh }) => emHigh - em),
          arrayminus: points.map(({ em, emLow }) => em - emLow),
        },
      },
      { ...trace, ...grid.axesOf(1), showlegend: false, y: points.map(({ searches }) => searches) },
    ]
  })
  const { top, layout: legend } = legendOnTop(names, { plotHeight: grid.height, below: 26 })
  const margin = { l: 50, r: 20, t: top, b: 50 }
  return {
    data,
    layout: layout('Results by the share of noisy searches', {
      ...grid.layout,
      ...legend,
      height: grid.height + top + 50,
      margin,
    }),
  }
}

/** The last of a method's rows: its average over all sets, or its only set. */
function widest(name: string, scores: readonly Score[]): ComparisonRow {
  const methods = new Set(scores.map(({ method }) => method))
  if (methods.size > 1) {
    throw new Error(`noiseCurve: scores of '${name}' must be of one method, got ${[...methods].join(', ')}`)
  }
  return (comparisonTable(scores).objects() as ComparisonRow[]).at(-1)!
}
