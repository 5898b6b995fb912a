import { Worker } from 'node:worker_threads'
import type { Figure } from './figure.js'
import type { Answer, Drawing } from './figure-worker.js'

/** Options of drawings without a browser. */
export interface DrawOptions {
  /** After this time the drawing is given up. Default 30 seconds; starting the drawing thread does not count. */
  timeLimitMs?: number
}

/** Traces that Plotly draws with WebGL or over maps from the network. */
const NEEDS_BROWSER =
  /^(surface|mesh3d|cone|streamtube|volume|isosurface|splom|parcoords|choropleth.*|densitymap.*|scattermap.*|.*(3d|gl|geo))$/

/**
 * A figure as SVG, drawn without a browser. Takes about a second the first time. Nothing is loaded for it: pictures that
 * the figure names by an address or a path are left out.
 * @throws {Error} for traces that only a browser can draw (3D, WebGL, maps), for what Plotly refuses, and after the limit
 * @example
 * const svg = await zs.figureToSvg(zs.plot.comparison(zs.comparisonTable(scores)))
 */
export async function figureToSvg(figure: Figure, options: DrawOptions = {}): Promise<string> {
  checkTraces('figureToSvg', figure)
  return (await draw({ figure, format: 'svg' }, 'figureToSvg', options)) as string
}

/**
 * A figure as PNG, for viewers that show pictures alone. Rules and errors are those of `figureToSvg`.
 * @example
 * await zs.display(zs.png(await zs.figureToPng(zs.plot.comparison(zs.comparisonTable(scores)))))
 */
export async function figureToPng(figure: Figure, options: DrawOptions = {}): Promise<Uint8Array> {
  checkTraces('figureToPng', figure)
  return (await draw({ figure, format: 'png', scale: 1.5 }, 'figureToPng', options)) as Uint8Array
}

/**
 * A drawing as PNG. Files and addresses that it names are not loaded.
 * @param scale pixels of the picture for one of the drawing
 */
export async function svgToPng(svg: string, scale = 1.5, options: DrawOptions = {}): Promise<Uint8Array> {
  return (await draw({ svg, format: 'png', scale }, 'svgToPng', options)) as Uint8Array
}

/** How many pictures of a figure are addresses or paths, which a drawing without a browser leaves out. */
export function unloadedImages({ layout }: Figure): number {
  const images: unknown = layout['images']
  if (!Array.isArray(images)) return 0
  return images.filter((image) => {
    const source = (image as { source?: unknown } | null)?.source
    return typeof source === 'string' && source !== '' && !source.startsWith('data:')
  }).length
}

function checkTraces(operation: string, { data }: Figure): void {
  const kind = data.map(({ type }) => String(type)).find((type) => NEEDS_BROWSER.test(type))
  if (kind === undefined) return
  throw new Error(`${operation}: traces must be drawn without WebGL and maps, got ${kind}; look at it in JupyterLab`)
}

// Plotly runs in a thread: a figure that takes too long or breaks Plotly ends the thread, not the process, and cells go on
// meanwhile. The thread draws one figure at a time.

let thread: Worker | undefined
let previous: Promise<unknown> = Promise.resolve()

function draw(
  drawing: Drawing,
  operation: string,
  { timeLimitMs = 30_000 }: DrawOptions,
): Promise<string | Uint8Array> {
  // The figure as it is now: the caller may change it before its turn comes.
  const copy = structuredClone(drawing)
  const drawn = previous.then(() => drawInThread(copy, operation, timeLimitMs))
  previous = drawn.catch(() => undefined)
  return drawn
}

async function drawInThread(drawing: Drawing, operation: string, timeLimitMs: number): Promise<string | Uint8Array> {
  const worker = (thread ??= await startThread())
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void): void => {
      clearTimeout(timer)
      worker.off('message', answered).off('error', broken).off('exit', ended)
      worker.unref()
      finish()
    }
    const giveUp = (message: string, cause?: unknown): void => {
      thread = undefined
      void worker.terminate()
      settle(() => reject(new Error(`${operation}: ${message}`, { cause })))
    }
    const timer = setTimeout(
      () => giveUp(`the drawing must end within ${timeLimitMs / 1000} s and did not; show fewer points`),
      timeLimitMs,
    )
    const answered = (answer: Answer): void =>
      settle(() => ('error' in answer ? reject(new Error(`${operation}: ${answer.error}`)) : resolve(answer.drawn)))
    const broken = (error: unknown): void => giveUp(error instanceof Error ? error.message : String(error), error)
    const ended = (code: number): void => giveUp(`the drawing thread ended with code ${code}`)
    worker.on('message', answered).on('error', broken).on('exit', ended)
    worker.ref()
    worker.postMessage(drawing)
  })
}

const entry = (extension: string): string => new URL(`./figure-worker${extension}`, import.meta.url).href

/** Tests and scripts run TypeScript as it is; a thread needs the loader for it as well. */
const FROM_SOURCE = `
const { workerData } = require('node:worker_threads')
import('tsx/esm/api').then(({ register }) => (register(), import(workerData)))`

/** The thread, once Plotly is loaded. While it has nothing to draw it does not keep the process alive. */
function startThread(): Promise<Worker> {
  const resourceLimits = { maxOldGenerationSizeMb: 2048 }
  const worker = import.meta.url.endsWith('.ts')
    ? new Worker(FROM_SOURCE, { eval: true, execArgv: [], resourceLimits, workerData: entry('.ts') })
    : new Worker(new URL(entry('.js')), { execArgv: [], resourceLimits })
  return new Promise((resolve, reject) => {
    worker.once('error', reject)
    // Also where it ends while it has nothing to draw.
    const forget = (): void => void (thread = thread === worker ? undefined : thread)
    worker.on('error', forget).on('exit', forget)
    worker.once('message', () => {
      worker.off('error', reject)
      resolve(worker)
    })
  })
}
