import { axis, label } from './figure.js'

/** Small plots side by side in one figure: their axes and headings, and which traces go where. */
export interface Panels {
  /** Axes and annotations, for the figure's layout. */
  layout: Record<string, unknown>
  /** Of the plotting area, in pixels. */
  height: number
  /** What puts a trace into a panel. */
  axesOf(panel: number): { xaxis: string; yaxis: string }
}

interface Panel {
  title: string
  x?: Record<string, unknown>
  y?: Record<string, unknown>
}

/** Between two panels in a row, as a share of the plotting area. */
const GAP = 0.1
/** Pixels: of a panel, and between two rows, for the numbers of an axis and the heading below it. */
const ROW = 200
const BETWEEN = 52

/** Two panels in a row. */
export function createPanels(panels: readonly Panel[]): Panels {
  const rows = Math.max(1, Math.ceil(panels.length / 2))
  const pixels = rows * ROW + (rows - 1) * BETWEEN
  const height = ROW / pixels
  const between = BETWEEN / pixels
  const axes: Record<string, unknown> = {}
  const annotations: Record<string, unknown>[] = []
  panels.forEach(({ title, x, y }, i) => {
    const n = numberOf(i)
    const [left, right] = i % 2 === 0 ? [0, 0.5 - GAP / 2] : [0.5 + GAP / 2, 1]
    const high = 1 - Math.floor(i / 2) * (height + between)
    axes[`xaxis${n}`] = axis({ anchor: `y${n}`, domain: [left, right], ...x })
    axes[`yaxis${n}`] = axis({ anchor: `x${n}`, domain: [Math.max(0, high - height), high], ...y })
    annotations.push(label(title, left, high))
  })
  return {
    height: pixels,
    layout: { ...axes, annotations },
    axesOf: (panel) => ({ xaxis: `x${numberOf(panel)}`, yaxis: `y${numberOf(panel)}` }),
  }
}

const numberOf = (panel: number): string => (panel === 0 ? '' : String(panel + 1))
