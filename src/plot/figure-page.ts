import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Canvas, Image } from '@napi-rs/canvas'
import type { Figure } from './figure.js'
import { FONT } from './font.js'
import { measurePath } from './path-measure.js'

const require = createRequire(import.meta.url)

interface Plotly {
  newPlot(element: unknown, data: unknown, layout: unknown, config: object): Promise<unknown>
  toImage(element: unknown, options: object): Promise<string>
  purge(element: unknown): void
}

/** A page that draws one figure at a time. */
export interface Page {
  draw(figure: Figure): Promise<string>
  /** Ends the drawing under way, for a fault of which Plotly does not tell whoever waits. */
  fail(error: unknown): void
}

type Window = Record<string, unknown> & { eval(code: string): void; document: Document }

/** plotly.js in a page of jsdom, with what jsdom lacks. The page loads nothing: no scripts, no pictures, no data. */
export async function openPage(): Promise<Page> {
  const { JSDOM, VirtualConsole } = await import('jsdom')
  const canvas = await import('@napi-rs/canvas')
  canvas.GlobalFonts.registerFromPath(require.resolve(FONT), 'Inter')
  let fail: Page['fail'] = () => undefined
  const virtualConsole = new VirtualConsole()
  virtualConsole.on('jsdomError', (error: Error & { type?: string; detail?: unknown }) => {
    if (error.type === 'unhandled exception') fail(error.detail)
  })
  const dom = new JSDOM('<!doctype html><body><div id="figure"></div></body>', {
    virtualConsole,
    runScripts: 'outside-only',
    pretendToBeVisual: true,
    url: 'http://localhost/',
  })
  const window = dom.window as unknown as Window
  for (const request of ['XMLHttpRequest', 'WebSocket', 'EventSource', 'fetch']) delete window[request]
  addText(window, canvas.createCanvas(1, 1).getContext('2d'))
  addPaths(window)
  const drawable = addImages(window, canvas.loadImage, (error) => fail(error))
  addCanvases(window, canvas.createCanvas, drawable)
  window['matchMedia'] = () => ({ matches: false, addListener: () => undefined, removeListener: () => undefined })
  window['TextDecoder'] = TextDecoder
  window['TextEncoder'] = TextEncoder
  ;(window['URL'] as { createObjectURL: () => string }).createObjectURL = () => ''
  window.eval(readFileSync(require.resolve('plotly.js'), 'utf8'))
  const plotly = window['Plotly'] as Plotly
  const element = window.document.getElementById('figure')

  const svgOf = async ({ data, layout }: Figure): Promise<string> => {
    const { width = 900, height = 450 } = layout as { width?: number; height?: number }
    await plotly.newPlot(element, data, layout, { staticPlot: true })
    const svg = await plotly.toImage(element, { format: 'svg', imageDataOnly: true, width, height })
    return svg.startsWith('<') ? svg : decodeURIComponent(svg)
  }
  return {
    async draw(figure) {
      const failed = new Promise<never>((_, reject) => (fail = reject))
      try {
        return await Promise.race([svgOf(figure), failed])
      } finally {
        plotly.purge(element)
      }
    },
    fail: (error) => fail(error),
  }
}

const prototype = (window: Window, name: string): Record<string, unknown> =>
  (window[name] as { prototype: Record<string, unknown> }).prototype

/** Sizes of text, measured with a canvas. */
function addText(window: Window, measure: ReturnType<Canvas['getContext']>): void {
  const size = (element: SvgText): { width: number; height: number } => {
    const fontSize = parseFloat(element.style.fontSize) || 12
    measure.font = `${fontSize}px Inter`
    const lines = (element.innerHTML ?? '').split(/<tspan class="line"/).map((line) => line.replace(/<[^>]*>/g, ''))
    const width = Math.max(0, ...lines.map((line) => measure.measureText(line).width))
    return { width, height: fontSize * 1.2 * Math.max(1, lines.filter((line) => line !== '').length) }
  }
  prototype(window, 'SVGElement')['getBBox'] = function (this: SvgText) {
    const { width, height } = size(this)
    return { x: 0, y: -height * 0.8, width, height }
  }
  prototype(window, 'SVGElement')['getComputedTextLength'] = function (this: SvgText) {
    return size(this).width
  }
  prototype(window, 'Element')['getBoundingClientRect'] = function (this: SvgText) {
    const { width, height } = this.namespaceURI?.endsWith('svg')
      ? size(this)
      : { width: parseFloat(this.style?.width ?? '') || 800, height: parseFloat(this.style?.height ?? '') || 450 }
    return { left: 0, top: 0, right: width, bottom: height, x: 0, y: 0, width, height }
  }
}

/** Lengths of lines: violins and labels along contours ask for them. jsdom has one kind of element for all of SVG's. */
function addPaths(window: Window): void {
  const measure = (element: SvgText): ReturnType<typeof measurePath> => measurePath(element.getAttribute('d') ?? '')
  prototype(window, 'SVGElement')['getTotalLength'] = function (this: SvgText) {
    return measure(this).total
  }
  prototype(window, 'SVGElement')['getPointAtLength'] = function (this: SvgText, length: number) {
    return measure(this).pointAt(length)
  }
}

/** Pictures: those inside of the figure (data URIs) are read, any other address fails at once, as if there was no network. */
function addImages(
  window: Window,
  loadImage: (source: Buffer) => Promise<Image>,
  fail: (error: Error) => void,
): Drawable {
  const loaded = new WeakMap<object, Image>()
  const load = async (element: ImageElement, source: string): Promise<void> => {
    const event = (name: string): object => new (window['Event'] as new (name: string) => object)(name)
    try {
      if (!source.startsWith('data:')) throw new Error('pictures are not loaded')
      const image = await loadImage(Buffer.from(await (await fetch(source)).arrayBuffer()))
      loaded.set(element, image)
      for (const name of ['width', 'height'] as const) Object.defineProperty(element, name, { value: image[name] })
      element.dispatchEvent(event('load'))
    } catch (error) {
      // Plotly waits for ever where it does not ask for errors.
      if (element.onerror) element.dispatchEvent(event('error'))
      else fail(new Error('a picture of the figure cannot be read; is its data URI whole?', { cause: error }))
    }
  }
  const { prototype: element } = window['HTMLImageElement'] as { prototype: ImageElement }
  Object.defineProperty(element, 'src', {
    set(this: ImageElement, source: unknown) {
      void load(this, String(source))
    },
  })
  const { setAttribute } = element
  element.setAttribute = function (name, value) {
    if (name === 'src') this.src = value
    else setAttribute.call(this, name, value)
  }
  return (image) => loaded.get(image as object) ?? image
}

/** Heatmaps and pictures are canvases inside of the SVG. */
function addCanvases(
  window: Window,
  createCanvas: (width: number, height: number) => Canvas,
  drawable: Drawable,
): void {
  const canvases = new WeakMap<object, Canvas>()
  prototype(window, 'HTMLCanvasElement')['getContext'] = function (
    this: { width: number; height: number },
    kind: string,
  ) {
    if (kind !== '2d') return null
    const canvas = canvases.get(this) ?? createCanvas(this.width || 1, this.height || 1)
    canvases.set(this, canvas)
    const context = canvas.getContext('2d')
    const drawImage = context.drawImage.bind(context) as (image: unknown, ...place: number[]) => void
    context.drawImage = (image: unknown, ...place: number[]) => drawImage(drawable(image), ...place)
    return context
  }
  prototype(window, 'HTMLCanvasElement')['toDataURL'] = function (this: object) {
    return (canvases.get(this) ?? createCanvas(1, 1)).toDataURL('image/png')
  }
}

/** What a canvas can draw of an element of the page. */
type Drawable = (image: unknown) => unknown

interface SvgText {
  innerHTML?: string
  namespaceURI?: string | null
  style: { fontSize: string; width?: string; height?: string }
  getAttribute(name: string): string | null
}

interface ImageElement {
  src: string
  onerror: unknown
  setAttribute: (this: ImageElement, name: string, value: string) => void
  dispatchEvent(event: object): void
}

interface Document {
  getElementById(id: string): unknown
}
