// The thread that draws: `static-figure.ts` starts it and sends it one drawing at a time.
import { createRequire } from 'node:module'
import { parentPort } from 'node:worker_threads'
import type { Figure } from './figure.js'
import { openPage } from './figure-page.js'
import { FONT } from './font.js'

export type Drawing =
  | { figure: Figure; format: 'svg' }
  | { figure: Figure; format: 'png'; scale: number }
  | { svg: string; format: 'png'; scale: number }

export type Answer = { drawn: string | Uint8Array } | { error: string }

const port = parentPort!
const require = createRequire(import.meta.url)
const page = await openPage()
// Plotly also reports some faults to promises that nobody awaits.
process.on('unhandledRejection', (error) => page.fail(error))
port.on('message', (drawing: Drawing) => {
  draw(drawing).then(
    (drawn) => port.postMessage({ drawn } satisfies Answer),
    (error: unknown) =>
      port.postMessage({ error: error instanceof Error ? error.message : String(error) } satisfies Answer),
  )
})
port.postMessage('ready')

async function draw(drawing: Drawing): Promise<string | Uint8Array> {
  const svg = 'svg' in drawing ? drawing.svg : await page.draw(drawing.figure)
  return drawing.format === 'svg' ? svg : toPng(svg, drawing.scale)
}

async function toPng(svg: string, scale: number): Promise<Uint8Array> {
  const { Resvg } = await import('@resvg/resvg-js')
  const font = { fontFiles: [require.resolve(FONT)], loadSystemFonts: false, defaultFontFamily: 'Inter' }
  const { createCanvas, loadImage } = await import('@napi-rs/canvas')
  // resvg knows the older name alone, and would smooth the cells of a heatmap.
  const drawing = withoutFiles(svg).replaceAll('image-rendering: pixelated', 'image-rendering: optimizeSpeed')
  const drawn = await loadImage(new Resvg(drawing, { font, fitTo: { mode: 'zoom', value: scale } }).render().asPng())
  const canvas = createCanvas(drawn.width, drawn.height)
  canvas.getContext('2d').drawImage(drawn, 0, 0)
  // Packed anew: half the size.
  return canvas.encode('png')
}

/** resvg reads files that a drawing names. Only what is inside of the drawing may show. */
function withoutFiles(svg: string): string {
  const plain = svg.replace(/<!DOCTYPE[^>[]*>/gi, '')
  if (/<!(DOCTYPE|ENTITY)/i.test(plain))
    throw new Error('a drawing must not declare entities, which can hide names of files; remove its <!DOCTYPE …>')
  return plain.replace(/(href\s*=\s*)(["'])(?!#|data:)[^]*?\2/gi, '$1$2#$2')
}
