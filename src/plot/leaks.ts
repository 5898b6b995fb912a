import type { LeakAudit, LeakVerdict } from '../schema/leak-audit.js'
import { COLOURS, axis, layout } from './figure.js'
import type { Figure } from './figure.js'
import { legendOnTop } from './named-runs.js'

const VERDICTS: { verdict: LeakVerdict; name: string; color: string }[] = [
  { verdict: 'supported', name: 'also found without the gold answer', color: COLOURS[2]! },
  { verdict: 'untold', name: 'in no document', color: COLOURS[0]! },
  { verdict: 'leaked', name: 'leaked', color: COLOURS[5]! },
]

/**
 * Where the reward of some runs comes from: a bar for each audit, its mean reward, divided into what is also found without the
 * gold answer, what stood in no document, and what leaked.
 * @param audits By the names that are shown.
 * @throws where there is no audit
 * @example
 * const audit = await zs.auditLeaks([trajectory], { without: engine })
 * await zs.display(zs.plot.leaks({ policy: audit }))
 */
export function leaks(audits: Readonly<Record<string, LeakAudit>>): Figure {
  const named = Object.entries(audits)
  if (named.length === 0) throw new Error('leaks: there must be at least one audit, got none')
  const plotHeight = 50 * named.length + 40
  const names = VERDICTS.map(({ name }) => name)
  const { top, layout: legend } = legendOnTop(names, { plotHeight, below: 6 })
  return {
    data: VERDICTS.map(({ verdict, name, color }) => ({
      ...{ type: 'bar', orientation: 'h', name, marker: { color, opacity: 0.7 } },
      y: named.map(([run]) => run),
      x: named.map(([, { trajectories }]) => {
        const counted = trajectories.filter((each) => each.verdict !== 'failed')
        const sum = counted.reduce((total, each) => total + (each.verdict === verdict ? each.reward : 0), 0)
        return counted.length === 0 ? 0 : sum / counted.length
      }),
    })),
    layout: layout('Where the reward comes from', {
      ...legend,
      barmode: 'stack',
      xaxis: axis({ rangemode: 'tozero', title: { text: 'mean reward' } }),
      yaxis: axis({ autorange: 'reversed', showgrid: false }),
      height: plotHeight + top + 50,
      margin: { l: 160, r: 20, t: top, b: 50 },
    }),
  }
}
