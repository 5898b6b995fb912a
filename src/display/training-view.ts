import type { Task } from '../host/progress.js'
import { svgToPng } from '../plot/static-figure.js'
import { warningText } from '../schema/update-record.js'
import type { CollapseWarning, UpdateRecord } from '../schema/update-record.js'
import type { View } from './bundle.js'
import { cut } from './cut.js'
import { html } from './html.js'
import type { Html } from './html.js'
import { decimals } from './number-text.js'
import { barHtml } from './progress.js'
import { hasFields } from './shape.js'

const WIDTH = 210
const HEIGHT = 90
/** Height of a line of text. */
const LINE = 18
const SHOWN_WARNINGS = 10
/** Characters of a warning that show. */
const LONGEST = 300

interface Curve {
  name: string
  colour: string
  value: (record: UpdateRecord) => unknown
  /** Upper end of the axis; default: the largest value. */
  max?: number
}

const CURVES: Curve[] = [
  { name: 'reward', colour: '#0072B2', value: (r) => r.reward, max: 1 },
  { name: 'EM', colour: '#009E73', value: (r) => r.em, max: 1 },
  { name: 'noise threshold', colour: '#E69F00', value: (r) => r.noiseThreshold, max: 1 },
  { name: 'searches per question', colour: '#CC79A7', value: (r) => r.searchesPerQuestion },
  { name: 'KL', colour: '#D55E00', value: (r) => r.kl },
  { name: 'sampler − trainer', colour: '#56B4E9', value: (r) => r.samplingLogprobDifferenceMean },
]

/** Whether a task is a training that has made updates. */
export const hasUpdates = (task: Task): task is Task & { results: readonly UpdateRecord[] } =>
  Array.isArray(task.results) &&
  task.results.length > 0 &&
  task.results.every((record) => hasFields(record, { update: 'present', reward: 'present', em: 'present' }))

/**
 * One line of text, with a bar where a share is given, and curves that grow in place. They are small hand-made pictures:
 * an update costs little, and the notebook keeps only the last one.
 */
export function trainingView(text: string, share: number | undefined, records: readonly UpdateRecord[]): View {
  return {
    async toView(isStatic) {
      const warnings = warningTexts(records.at(-1))
      const pictures = CURVES.map((curve, i) => picture(curve, records, isStatic ? i * WIDTH : 0))
      if (isStatic) {
        const lines = warnings.map((warning, i) => warningLine(warning, HEIGHT + LINE * (i + 1)))
        const height = HEIGHT + (lines.length > 0 ? LINE * (lines.length + 0.5) : 0)
        const width = WIDTH * pictures.length
        const all = html`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
          ${pictures}${lines}
        </svg>`
        return { 'image/png': Buffer.from(await svgToPng(String(all))).toString('base64') }
      }
      const images = pictures.map((svg, i) => {
        const data = Buffer.from(String(svg)).toString('base64')
        return html`<img alt="${CURVES[i]!.name}" src="data:image/svg+xml;base64,${data}" />`
      })
      return {
        'text/html': html`<div>
          ${text}${share === undefined ? '' : barHtml(share)}
          <div>${images}</div>
          ${warnings.map((warning) => html`<div style="color: #D55E00;">⚠ ${warning}</div>`)}
        </div>`,
        'text/plain': [text, ...warnings.map((warning) => `⚠ ${warning}`)].join('\n'),
      }
    },
  }
}

/** What the last update warns of. A record may come from elsewhere, and hold anything. */
function warningTexts(record: UpdateRecord | undefined): string[] {
  const warnings: unknown = record?.warnings
  if (!Array.isArray(warnings)) return []
  return warnings
    .slice(0, SHOWN_WARNINGS)
    .map((one: unknown) =>
      cut(
        hasFields(one, { message: 'string', remedy: 'string' }) ? warningText(one as unknown as CollapseWarning) : '',
        LONGEST,
      ),
    )
    .filter((text) => text !== '')
}

const warningLine = (warning: string, y: number): Html =>
  html`<text x="6" y="${y}" font-family="sans-serif" font-size="12" fill="#D55E00">! ${warning}</text>`

/** One curve, as SVG. @param left where it lies in a larger picture */
function picture({ name, colour, value, max }: Curve, records: readonly UpdateRecord[], left: number): Html {
  const values = records.map(value)
  // A run that diverged has a gap there.
  const finite = values.flatMap((v, i) => (typeof v === 'number' && Number.isFinite(v) ? [{ v, i }] : []))
  const top = max ?? finite.reduce((largest, { v }) => Math.max(largest, v), 1e-9)
  const x = (i: number): number => 6 + (i * (WIDTH - 12)) / Math.max(1, values.length - 1)
  const y = (v: number): number => HEIGHT - 6 - (Math.min(v, top) * (HEIGHT - 28)) / top
  const points = finite.map(({ v, i }) => `${x(i).toFixed(1)},${y(v).toFixed(1)}`).join(' ')
  const last = values[values.length - 1] ?? 0
  const label = typeof last === 'number' && last < 0.01 ? last.toExponential(1) : decimals(last, 2)
  return html`<svg xmlns="http://www.w3.org/2000/svg" x="${left}" width="${WIDTH}" height="${HEIGHT}">
    <text x="6" y="14" font-family="sans-serif" font-size="12" fill="#767676">${name} ${label}</text>
    <line x1="6" x2="${WIDTH - 6}" y1="${HEIGHT - 6}" y2="${HEIGHT - 6}" stroke="#767676" stroke-opacity=".4" />
    <polyline points="${points}" fill="none" stroke="${colour}" stroke-width="2" />
  </svg>`
}
