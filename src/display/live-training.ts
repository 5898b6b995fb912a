import type { UpdateRecord } from '../schema/update-record.js'
import { svgToPng } from '../plot/static-figure.js'
import { escapeHtml } from './html.js'
import type { View } from './mime-bundle.js'
import { liveDisplay } from './notebook.js'
import { barHtml } from './progress.js'

const WIDTH = 210
const HEIGHT = 90

interface Curve {
  name: string
  colour: string
  value: (record: UpdateRecord) => number
  /** Upper end of the axis; default: the largest value. */
  most?: number
}

const CURVES: Curve[] = [
  { name: 'reward', colour: '#0072B2', value: (r) => r.reward, most: 1 },
  { name: 'EM', colour: '#009E73', value: (r) => r.em, most: 1 },
  { name: 'noise threshold', colour: '#E69F00', value: (r) => r.noiseThreshold, most: 1 },
  { name: 'searches per question', colour: '#CC79A7', value: (r) => r.searchesPerQuestion },
  { name: 'KL', colour: '#D55E00', value: (r) => r.kl },
]

/**
 * A progress bar with curves that grow in place, for `train`'s `onUpdate`. They are small hand-made pictures: an update
 * costs little, and the notebook keeps the last one alone.
 * @param updates Number of updates of the run.
 */
export function liveTraining(updates: number): (record: UpdateRecord) => Promise<undefined> {
  const live = liveDisplay()
  const records: UpdateRecord[] = []
  const started = performance.now()
  return async (record) => {
    records.push(record)
    await live.update(progress(records, updates, (performance.now() - started) / 1000))
    return undefined
  }
}

function progress(records: readonly UpdateRecord[], updates: number, seconds: number): View {
  const last = records[records.length - 1]!
  const each = seconds / records.length
  const left = last.update < updates ? `, about ${Math.ceil((updates - last.update) * each)} s left` : ''
  const text = `update ${last.update}/${updates}, ${each.toFixed(1)} s each${left}: reward ${last.reward.toFixed(3)}, EM ${last.em.toFixed(3)}`
  const pictures = CURVES.map((curve) => picture(curve, records))
  return {
    async toView(isStatic) {
      if (isStatic) return { 'image/png': Buffer.from(await svgToPng(besideEachOther(pictures))).toString('base64') }
      const images = pictures.map(
        (svg, i) =>
          `<img alt="${CURVES[i]!.name}" src="data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}">`,
      )
      const bar = last.update < updates ? barHtml(last.update / updates) : ''
      return { 'text/html': `<div>${escapeHtml(text)}${bar}<div>${images.join('')}</div></div>`, 'text/plain': text }
    },
  }
}

function besideEachOther(pictures: readonly string[]): string {
  const placed = pictures.map((svg, i) => svg.replace('<svg ', `<svg x="${i * WIDTH}" `))
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH * pictures.length}" height="${HEIGHT}">${placed.join('')}</svg>`
}

function picture({ name, colour, value, most }: Curve, records: readonly UpdateRecord[]): string {
  const values = records.map(value)
  const top = most ?? values.filter(Number.isFinite).reduce((a, b) => Math.max(a, b), 1e-9)
  const x = (i: number): number => 6 + (i * (WIDTH - 12)) / Math.max(1, values.length - 1)
  const y = (v: number): number => HEIGHT - 6 - (Math.min(v, top) * (HEIGHT - 28)) / top
  // A run that diverged has a gap there.
  const points = values
    .flatMap((v, i) => (Number.isFinite(v) ? [`${x(i).toFixed(1)},${y(v).toFixed(1)}`] : []))
    .join(' ')
  const last = values[values.length - 1] ?? 0
  const label = `${name} ${last < 0.01 ? last.toExponential(1) : last.toFixed(2)}`
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}">` +
    `<text x="6" y="14" font-family="sans-serif" font-size="12" fill="#7a7a7a">${label}</text>` +
    `<line x1="6" x2="${WIDTH - 6}" y1="${HEIGHT - 6}" y2="${HEIGHT - 6}" stroke="#7a7a7a" stroke-opacity=".4"/>` +
    `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="2"/></svg>`
  )
}
