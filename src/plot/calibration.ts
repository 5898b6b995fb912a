import type { Calibration, DocumentMeasures, Share, StyleDistance } from '../schema/calibration.js'
import { COLOURS, TEXT, layout } from './figure.js'
import type { Figure } from './figure.js'
import { legendOnTop } from './named-runs.js'
import { createPanels } from './panels.js'

const KINDS = [
  { kind: 'useful', color: COLOURS[2]! },
  { kind: 'noisy', color: COLOURS[1]! },
  { kind: 'real', color: COLOURS[6]! },
] as const
type Kind = (typeof KINDS)[number]['kind']

/** A value, and its interval where it has one. */
type Value = Pick<Share, 'share' | 'low' | 'high'>
const plain = (share: number | null | undefined): Value => ({ share: share ?? null, low: null, high: null })

const PANELS: {
  title: string
  range?: [number, number]
  read: (measures: DocumentMeasures, style: StyleDistance | null) => Value
}[] = [
  { title: 'searches whose documents hold an answer', range: [0, 1], read: ({ holdsAnswer }) => holdsAnswer },
  { title: 'documents read, of those asked for', range: [0, 1], read: ({ parsed }) => parsed },
  { title: 'words of a document', read: ({ words }) => plain(words.mean) },
  { title: 'different pairs of words in 500 words', range: [0, 1], read: ({ distinct2 }) => plain(distinct2) },
  { title: 'repeated documents', range: [0, 1], read: ({ repeated }) => repeated },
  {
    title: 'told from real ones by a classifier (0.5: guessing)',
    range: [0, 1],
    read: (_, style) => style?.told ?? plain(null),
  },
]

/**
 * Simulators beside the real engines that they were measured against: useful, noisy and real documents as bars, shares with
 * their 95 % intervals.
 * @throws where there is no calibration
 * @example
 * const calibration = await zs.calibrateSimulator(simulator, engine, questions)
 * await zs.display(zs.plot.calibration([calibration]))
 */
export function calibration(calibrations: readonly Calibration[]): Figure {
  if (calibrations.length === 0) throw new Error('calibration: there must be at least one calibration, got none')
  const grid = createPanels(
    PANELS.map(({ title, range }) => ({ title, y: { ...(range ? { range } : { rangemode: 'tozero' }) } })),
  )
  const data = PANELS.flatMap(({ read }, panel) =>
    KINDS.map(({ kind, color }) => {
      const values = calibrations.map((each) => read(each[kind], styleOf(each, kind)))
      return {
        ...{ type: 'bar', name: kind, legendgroup: kind, showlegend: panel === 0, ...grid.axesOf(panel) },
        x: calibrations.map(({ simulator }) => simulator),
        y: values.map(({ share }) => share),
        marker: { color, opacity: 0.5 },
        ...(values.some(({ low }) => low !== null) && {
          error_y: {
            ...{ type: 'data', symmetric: false, thickness: 1.5, width: 3, color: TEXT },
            array: values.map(({ share, high }) => (high ?? 0) - (share ?? 0)),
            arrayminus: values.map(({ share, low }) => (share ?? 0) - (low ?? 0)),
          },
        }),
      }
    }),
  )
  const names = KINDS.map(({ kind }) => kind)
  const { top, layout: legend } = legendOnTop(names, { plotHeight: grid.height, below: 26 })
  const { questions, reference } = calibrations[0]!
  return {
    data,
    layout: layout(`Simulators against ${reference}, ${questions} questions`, {
      ...{ ...grid.layout, ...legend, barmode: 'group' },
      height: grid.height + top + 50,
      margin: { l: 60, r: 20, t: top, b: 50 },
    }),
  }
}

const styleOf = ({ style }: Calibration, kind: Kind): StyleDistance | null => (kind === 'real' ? null : style[kind])
