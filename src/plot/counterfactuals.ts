import type { Counterfactual } from '../schema/counterfactual.js'
import { FATES, counterfactualTable } from '../table/counterfactual-table.js'
import { COLOURS, axis, layout } from './figure.js'
import type { Figure } from './figure.js'
import { legendOnTop } from './named-runs.js'

const COLOUR = {
  kept: COLOURS[2]!,
  changed: COLOURS[1]!,
  lost: COLOURS[5]!,
  gained: COLOURS[4]!,
  none: COLOURS[6]!,
  failed: COLOURS[3]!,
}

/**
 * What became of answers when other documents were put in: a bar for each kind of documents, of the shares of replays whose answer was
 * kept, changed, lost, gained.
 * @throws where there are no replays
 * @example
 * const replays = await zs.replayTrajectories(policy, [trajectory], { searchEngine: simulator })
 * await zs.display(zs.plot.counterfactuals(replays))
 */
export function counterfactuals(replays: readonly Counterfactual[]): Figure {
  if (replays.length === 0) throw new Error('counterfactuals: there must be at least one replay, got none')
  const rows = counterfactualTable(replays).objects() as (Record<string, number> & { documents: string })[]
  const fates = FATES.filter((fate) => rows.some((row) => row[fate]! > 0))
  const label = ({ documents, emBefore, emAfter }: (typeof rows)[number]): string =>
    `${documents}<br>EM ${emBefore!.toFixed(2)} → ${emAfter!.toFixed(2)}`
  const plotHeight = 60 * rows.length + 40
  const { top, layout: legend } = legendOnTop(fates, { plotHeight, below: 6 })
  return {
    data: fates.map((fate) => ({
      ...{ type: 'bar', orientation: 'h', name: fate, marker: { color: COLOUR[fate], opacity: 0.7 } },
      x: rows.map((row) => row[fate]! / row['n']!),
      y: rows.map(label),
      hovertext: rows.map((row) => `${row[fate]!} of ${row['n']!}`),
    })),
    layout: layout('Answers with other documents', {
      ...legend,
      barmode: 'stack',
      xaxis: axis({ range: [0, 1], title: { text: 'share of trajectories' } }),
      yaxis: axis({ autorange: 'reversed', showgrid: false }),
      height: plotHeight + top + 50,
      margin: { l: 160, r: 20, t: top, b: 50 },
    }),
  }
}
