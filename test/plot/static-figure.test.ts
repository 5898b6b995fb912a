// Figures that would load something, break Plotly or never end: the process, and the next figure, do not notice.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCanvas, loadImage } from '@napi-rs/canvas'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toMimeBundle } from '../../src/display/mime-bundle.js'
import type { Figure } from '../../src/plot/figure.js'
import { measurePath } from '../../src/plot/path-measure.js'
import { figureToPng, figureToSvg, svgToPng } from '../../src/plot/static-figure.js'

const size = { width: 200, height: 150 }
const bar: Figure = { data: [{ type: 'bar', y: [1, 2] }], layout: { ...size, title: { text: 'next' } } }

const folder = mkdtempSync(join(tmpdir(), 'figure-'))
const red = createCanvas(10, 10)
red.getContext('2d').fillStyle = '#ff0000'
red.getContext('2d').fillRect(0, 0, 10, 10)
const redPng = red.toBuffer('image/png')
const redUri = `data:image/png;base64,${redPng.toString('base64')}`
const redFile = join(folder, 'red.png')

let requests: string[] = []
const server = createServer(({ url }, response) => {
  requests.push(String(url))
  response.setHeader('access-control-allow-origin', '*').end(redPng)
})
let address = ''

beforeAll(async () => {
  writeFileSync(redFile, redPng)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

/** Whether a picture has a pixel of pure red. */
async function isRed(png: Uint8Array): Promise<boolean> {
  const image = await loadImage(Buffer.from(png))
  const context = createCanvas(image.width, image.height).getContext('2d')
  context.drawImage(image, 0, 0)
  const { data } = context.getImageData(0, 0, image.width, image.height)
  for (let i = 0; i < data.length; i += 4) if (data[i]! > 250 && data[i + 1]! < 5 && data[i + 3] === 255) return true
  return false
}

const withImage = (source: string): Figure => ({
  data: [],
  layout: {
    ...size,
    images: [{ source, xref: 'paper', yref: 'paper', x: 0, y: 1, sizex: 1, sizey: 1, sizing: 'stretch' }],
  },
})

describe('a figure with a picture', () => {
  it('inside of it shows the picture', async () => {
    expect(await isRed(await figureToPng(withImage(redUri)))).toBe(true)
  })

  it('by address, path or name is drawn without it: nothing is asked for or read', async () => {
    requests = []
    const sources = [`${address}/a.png`, redFile, `file://${redFile}`, 'red.png', 'ftp://x/y.png', 'blob:x', ' data:x']
    for (const source of sources) {
      const svg = await figureToSvg(withImage(source))
      expect(svg, source).not.toContain('<image')
      expect(await isRed(await svgToPng(svg)), source).toBe(false)
    }
    expect(requests).toEqual([])
    expect(await figureToSvg(bar)).toContain('next')
  })

  it('by address says that the drawing leaves it out', async () => {
    const bundle = await toMimeBundle(withImage(`${address}/a.png`))
    expect(bundle['text/html']).toContain('1 picture that the figure names by an address is left out of this drawing')
    expect((await toMimeBundle(withImage(redUri)))['text/html']).not.toContain('left out')
    expect((await toMimeBundle(withImage(`${address}/a.png`), { static: true }))['text/plain']).toContain('left out')
  })

  it('that is broken ends with a picture or a message, and the next one is drawn', async () => {
    const broken = [
      'data:',
      'data:image/png;base64,',
      'data:image/png;base64,AAAA',
      'data:image/png;base64,%%%',
      'data:,x',
    ]
    const cut = `data:image/png;base64,${redPng.subarray(0, 40).toString('base64')}`
    for (const source of [...broken, cut]) {
      await figureToPng(withImage(source)).catch(String)
      const trace = { data: [{ type: 'image', source }], layout: size }
      await figureToPng(trace, { timeLimitMs: 10_000 }).catch((error) => expect(String(error)).not.toMatch(/within/))
    }
    expect(await figureToSvg(bar)).toContain('next')
  })

  it('as a trace shows its pixels', async () => {
    const trace = { type: 'image', source: redUri }
    expect(await isRed(await figureToPng({ data: [trace], layout: { ...size } }))).toBe(true)
  })
})

describe('a drawing', () => {
  it('that names a file as a picture shows none, however it names it', async () => {
    const svg = (inside: string): string =>
      `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="10" height="10">${inside}</svg>`
    const image = (attribute: string): string => svg(`<image width="10" height="10" alt=">" ${attribute}/>`)
    expect(await isRed(await svgToPng(image(`href="${redUri}"`)))).toBe(true)
    const named = [
      image(`href="${redFile}"`),
      image(`xlink:href='${redFile}'`),
      image(`xlink:href = "${redFile.replaceAll('/', '&#47;')}"`),
      svg(`<filter id="f"><feImage href="${redFile}"/></filter><rect width="10" height="10" filter="url(#f)"/>`),
      `<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">${image(`href="${redFile}"`)}`,
    ]
    for (const drawing of named) expect(await isRed(await svgToPng(drawing)), drawing).toBe(false)
    const entity = `<!DOCTYPE svg [<!ENTITY e "${redFile}">]>${image('href="&e;"')}`
    await expect(svgToPng(entity)).rejects.toThrow('svgToPng: a drawing must not declare entities')
  })
})

describe('a figure that Plotly would load something for', () => {
  it.each([
    ['maps', { geo: { showcoastlines: true }, map: { style: 'open-street-map' }, mapbox: { accesstoken: 'x' } }],
    ['a typeface', { font: { family: 'url(http://127.0.0.1/x.woff), Comic Sans MS' } }],
    [
      'elements in its texts',
      { title: { text: '<img src="/a.png"><a href="http://127.0.0.1/a">link</a><script>1</script>' } },
    ],
    ['a template of traces', { template: { data: { bar: [{ type: 'scattergeo' }] }, layout: { geo: {} } } }],
  ])('because of %s is drawn without', async (_, layout) => {
    const text = JSON.stringify(layout).replaceAll('http://127.0.0.1', address).replaceAll('/a.png', `${address}/a.png`)
    requests = []
    const svg = await figureToSvg({ ...bar, layout: { ...(JSON.parse(text) as object), ...size } })
    expect(svg).toMatch(/^<svg/)
    expect(svg).not.toMatch(/<img|<script/)
    expect(requests).toEqual([])
  })
})

describe('a figure that', () => {
  it('takes longer than its limit is given up, and the next one is drawn', async () => {
    const y = Array.from({ length: 300_000 }, (_, i) => Math.sin(i))
    const slow: Figure = { data: [{ type: 'scatter', mode: 'markers', y }], layout: { ...size } }
    await expect(figureToSvg(slow, { timeLimitMs: 300 })).rejects.toThrow(
      'figureToSvg: the drawing must end within 0.3 s and did not; show fewer points',
    )
    expect(await figureToSvg(bar)).toContain('next')
  })

  it('breaks Plotly says so, and neither the process nor the next figure does', async () => {
    const unhandled: unknown[] = []
    const note = (error: unknown): void => void unhandled.push(error)
    process.on('unhandledRejection', note)
    const broken = { data: [{ type: 'image', z: [[1, 2]] }], layout: { ...size } }
    for (let i = 0; i < 3; i++) {
      await expect(figureToSvg(broken)).rejects.toThrow(/^figureToSvg: .*not a function/)
      expect(await figureToSvg(bar)).toContain('next')
    }
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })

  it('is a violin has its outline', async () => {
    const y = [1, 2, 2, 3, 3, 3, 4, 4, 5]
    const svg = await figureToSvg({ data: [{ type: 'violin', y, box: { visible: true } }], layout: size })
    expect(svg).toMatch(/class="violin"[^>]* d="M|d="M[^"]*"[^>]*class="violin"/)
  })

  it('holds what cannot be sent to the drawing thread is refused', async () => {
    await expect(figureToSvg({ data: [{ type: 'bar', y: () => 1 }], layout: {} })).rejects.toThrow(
      /could not be cloned/,
    )
    expect(await figureToSvg(bar)).toContain('next')
  })

  it('is changed after it was asked for shows what it was', async () => {
    const first = figureToSvg(bar)
    const title = { text: 'before' }
    const second = figureToSvg({ data: bar.data, layout: { ...size, title } })
    title.text = 'after'
    await first
    expect(await second).toContain('before')
  })
})

describe('the measure of a path', () => {
  it('is that of its lines and curves', () => {
    const path = measurePath('M0,0 h30 v40 M100,0 l0,10')
    expect(path.total).toBe(80)
    expect(path.pointAt(0)).toEqual({ x: 0, y: 0 })
    expect(path.pointAt(50)).toEqual({ x: 30, y: 20 })
    expect(path.pointAt(75)).toEqual({ x: 100, y: 5 })
    expect(path.pointAt(1e9)).toEqual({ x: 100, y: 10 })
    const circle = measurePath('M10,0 A10,10 0 1 1 -10,0 A10,10 0 1 1 10,0 Z')
    expect(circle.total).toBeCloseTo(2 * Math.PI * 10, 1)
    const quarter = circle.pointAt(circle.total / 4)
    expect(quarter.x).toBeCloseTo(0, 1)
    expect(quarter.y).toBeCloseTo(10, 1)
    expect(measurePath('')).toMatchObject({ total: 0 })
    expect(measurePath('').pointAt(3)).toEqual({ x: 0, y: 0 })
  })
})
