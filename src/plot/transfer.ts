import { comparePaired } from '../evaluation/compare.js'
import type { Score } from '../schema/score.js'
import { COLOURS, layout } from './figure.js'
import type { Figure } from './figure.js'
import { legendOnTop } from './named-runs.js'
import { createPanels } from './panels.js'

/** Options of `transfer`. */
export interface TransferOptions {
  /** Short names of sets, such as `zs.mini.labels`; default the sets' names. */
  labels?: Readonly<Record<string, string>>
}

/** What became of a question, by exact match; colours of Okabe and Ito's palette. */
const KINDS = [
  { name: 'right with both', simulated: true, real: true, color: COLOURS[2]! },
  { name: 'right with the simulator alone', simulated: true, real: false, color: COLOURS[1]! },
  { name: 'right with the real engine alone', simulated: false, real: true, color: COLOURS[0]! },
  { name: 'wrong with both', simulated: false, real: false, color: COLOURS[6]! },
] as const

/**
 * How a policy that plays with a simulator does with a real engine, question by question. On the left the F1 of each question with both,
 * as circles whose area is the number of questions; on the right, by set, the shares of questions that are right with
 * both, with one alone, and with none.
 * @param simulated Scores of a policy that searched the simulator.
 * @param real Scores of the same policy on the same questions with a real engine.
 * @throws where the two are not of the same questions
 * @example
 * await zs.display(zs.plot.transfer(withSimulator, withBm25, { labels: zs.mini.labels }))
 */
export function transfer(
  simulated: readonly Score[],
  real: readonly Score[],
  { labels = {} }: TransferOptions = {},
): Figure {
  const { questions, difference, low, high, pValue } = comparePaired(real, simulated)
  const realOf = new Map(real.map((score) => [score.questionId, score]))
  const pairs = simulated.map((score) => ({ simulated: score, real: realOf.get(score.questionId)! }))
  const grid = createPanels([
    {
      title: 'F1 of each question',
      x: { title: { text: 'F1 with the simulator' }, range: [-0.2, 1.2], dtick: 0.25 },
      y: { title: { text: 'F1 with the real engine' }, range: [-0.2, 1.2], dtick: 0.25 },
    },
    {
      title: 'share of questions, by exact match',
      x: { range: [0, 1] },
      y: { showgrid: false, autorange: 'reversed' },
    },
  ])
  const names = KINDS.map(({ name }) => name)
  const plotHeight = grid.height
  const { top, layout: placed } = legendOnTop(names, { plotHeight, below: 26 })
  const legend = { ...(placed['legend'] as object), traceorder: 'normal' }
  const title =
    `From simulator to real engine: EM ${signed(difference)} (95 % ${signed(low)} to ${signed(high)}, ` +
    `p ${pValue < 0.001 ? '< 0.001' : `= ${pValue.toFixed(3)}`}) over ${questions} questions`
  return {
    data: [circles(pairs, grid.axesOf(0)), ...bars(pairs, labels, grid.axesOf(1))],
    layout: layout(title, {
      ...{ ...grid.layout, barmode: 'stack', legend },
      height: plotHeight + top + 50,
      margin: { l: 60, r: 20, t: top, b: 50 },
    }),
  }
}

interface Pair {
  simulated: Score
  real: Score
}

/** Pixels of the circle that has most questions. */
const LARGEST = 40

function circles(pairs: readonly Pair[], axes: { xaxis: string; yaxis: string }): Record<string, unknown> {
  const counts = new Map<string, { x: number; y: number; n: number }>()
  for (const { simulated, real } of pairs) {
    const [x, y] = [simulated, real].map(({ f1 }) => Math.round(10 * f1) / 10) as [number, number]
    const place = counts.get(`${x} ${y}`) ?? { x, y, n: 0 }
    place.n++
    counts.set(`${x} ${y}`, place)
  }
  const places = [...counts.values()]
  const most = Math.max(...places.map(({ n }) => n))
  return {
    ...{ type: 'scatter', mode: 'markers', showlegend: false, ...axes },
    ...{ x: places.map(({ x }) => x), y: places.map(({ y }) => y) },
    hovertext: places.map(({ n }) => `${n} question${n === 1 ? '' : 's'}`),
    marker: {
      color: COLOURS[4],
      opacity: 0.7,
      size: places.map(({ n }) => Math.max(5, LARGEST * Math.sqrt(n / most))),
    },
  }
}

function bars(
  pairs: readonly Pair[],
  labels: Readonly<Record<string, string>>,
  axes: { xaxis: string; yaxis: string },
): Record<string, unknown>[] {
  const sets = [...new Set(pairs.map(({ real }) => real.dataset))]
  return KINDS.map(({ name, color, ...kind }) => ({
    ...{ type: 'bar', orientation: 'h', name, marker: { color }, ...axes },
    y: sets.map((set) => labels[set] ?? set),
    x: sets.map((set) => {
      const ofSet = pairs.filter(({ real }) => real.dataset === set)
      const found = ofSet.filter(
        ({ simulated, real }) => (simulated.em === 1) === kind.simulated && (real.em === 1) === kind.real,
      )
      return found.length / ofSet.length
    }),
  }))
}

const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`
