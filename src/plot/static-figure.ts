import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Canvas } from '@napi-rs/canvas'
import type { Figure } from './figure.js'

const require = createRequire(import.meta.url)
const FONT = '@expo-google-fonts/inter/400Regular/Inter_400Regular.ttf'

interface Plotly {
  newPlot(element: unknown, data: unknown, layout: unknown, config: object): Promise<unknown>
  toImage(element: unknown, options: object): Promise<string>
  purge(element: unknown): void
}

interface Page {
  plotly: Plotly
  element: unknown
}

let page: Promise<Page> | undefined
let drawn: Promise<unknown> = Promise.resolve()

/** Traces that Plotly draws with WebGL or over maps from the network; some of them would never end here. */
const NEEDS_BROWSER =
  /^(surface|mesh3d|cone|streamtube|volume|isosurface|splom|parcoords|choropleth.*|densitymap.*|scattermap.*|.*(3d|gl|geo))$/

/**
 * A figure as SVG, drawn without a browser. Takes about a second the first time.
 * @throws {Error} for traces that only a browser can draw: 3D, WebGL, maps
 */
export function figureToSvg(figure: Figure): Promise<string> {
  // There is one page, and it holds one figure at a time.
  const svg = drawn.then(() => draw(figure))
  drawn = svg.catch(() => undefined)
  return svg
}

async function draw(figure: Figure): Promise<string> {
  const kind = figure.data.map(({ type }) => String(type)).find((type) => NEEDS_BROWSER.test(type))
  if (kind !== undefined)
    throw new Error(`figureToSvg: traces must be drawn without WebGL and maps, got ${kind}; look at it in JupyterLab`)
  page ??= openPage()
  const { plotly, element } = await page
  const { width = 900, height = 450 } = figure.layout as { width?: number; height?: number }
  try {
    await plotly.newPlot(element, structuredClone(figure.data), structuredClone(figure.layout), { staticPlot: true })
    const svg = await plotly.toImage(element, { format: 'svg', imageDataOnly: true, width, height })
    return svg.startsWith('<') ? svg : decodeURIComponent(svg)
  } finally {
    plotly.purge(element)
  }
}

/** A figure as PNG, for viewers that show pictures alone. */
export async function figureToPng(figure: Figure): Promise<Uint8Array> {
  return svgToPng(await figureToSvg(figure))
}

/** @param scale pixels of the picture for one of the drawing */
export async function svgToPng(svg: string, scale = 1.5): Promise<Uint8Array> {
  const { Resvg } = await import('@resvg/resvg-js')
  const font = { fontFiles: [require.resolve(FONT)], loadSystemFonts: false, defaultFontFamily: 'Inter' }
  const { createCanvas, loadImage } = await import('@napi-rs/canvas')
  // resvg knows the older name alone, and would smooth the cells of a heatmap.
  const drawing = svg.replaceAll('image-rendering: pixelated', 'image-rendering: optimizeSpeed')
  const drawn = await loadImage(new Resvg(drawing, { font, fitTo: { mode: 'zoom', value: scale } }).render().asPng())
  const canvas = createCanvas(drawn.width, drawn.height)
  canvas.getContext('2d').drawImage(drawn, 0, 0)
  // Packed anew: half the size.
  return canvas.encode('png')
}

/** plotly.js in a page of jsdom. What jsdom lacks is added: text is measured with a canvas. */
async function openPage(): Promise<Page> {
  const { JSDOM } = await import('jsdom')
  const { GlobalFonts, createCanvas } = await import('@napi-rs/canvas')
  GlobalFonts.registerFromPath(require.resolve(FONT), 'Inter')
  const dom = new JSDOM('<!doctype html><body><div id="figure"></div></body>', {
    runScripts: 'outside-only',
    pretendToBeVisual: true,
    url: 'http://localhost/',
  })
  const window = dom.window as unknown as Record<string, unknown> & { eval(code: string): void; document: Document }
  const measure = createCanvas(1, 1).getContext('2d')

  const size = (element: SvgText): { width: number; height: number } => {
    const fontSize = parseFloat(element.style.fontSize) || 12
    measure.font = `${fontSize}px Inter`
    const lines = (element.innerHTML ?? '').split(/<tspan class="line"/).map((line) => line.replace(/<[^>]*>/g, ''))
    const width = lines.reduce((widest, line) => Math.max(widest, measure.measureText(line).width), 0)
    return { width, height: fontSize * 1.2 * Math.max(1, lines.filter((line) => line !== '').length) }
  }
  const prototype = (name: string): Record<string, unknown> =>
    (window[name] as { prototype: Record<string, unknown> }).prototype
  prototype('SVGElement')['getBBox'] = function (this: SvgText) {
    const { width, height } = size(this)
    return { x: 0, y: -height * 0.8, width, height }
  }
  prototype('SVGElement')['getComputedTextLength'] = function (this: SvgText) {
    return size(this).width
  }
  prototype('Element')['getBoundingClientRect'] = function (this: SvgText) {
    const own = parseFloat(this.style?.width ?? '')
    const { width, height } = this.namespaceURI?.endsWith('svg')
      ? size(this)
      : { width: own || 800, height: parseFloat(this.style?.height ?? '') || 450 }
    return { left: 0, top: 0, right: width, bottom: height, x: 0, y: 0, width, height }
  }
  const canvases = new WeakMap<object, Canvas>()
  prototype('HTMLCanvasElement')['getContext'] = function (this: { width: number; height: number }, kind: string) {
    if (kind !== '2d') return null
    const own = canvases.get(this) ?? createCanvas(this.width || 1, this.height || 1)
    canvases.set(this, own)
    return own.getContext('2d')
  }
  // Heatmaps and images are canvases inside of the SVG.
  prototype('HTMLCanvasElement')['toDataURL'] = function (this: object) {
    return (canvases.get(this) ?? createCanvas(1, 1)).toDataURL('image/png')
  }
  window['matchMedia'] = () => ({ matches: false, addListener: () => undefined, removeListener: () => undefined })
  window['TextDecoder'] = TextDecoder
  window['TextEncoder'] = TextEncoder
  ;(window['URL'] as { createObjectURL: () => string }).createObjectURL = () => ''
  window.eval(readFileSync(require.resolve('plotly.js'), 'utf8'))
  return { plotly: window['Plotly'] as Plotly, element: window.document.getElementById('figure') }
}

interface SvgText {
  innerHTML?: string
  namespaceURI?: string | null
  style: { fontSize: string; width?: string; height?: string }
}

interface Document {
  getElementById(id: string): unknown
}
