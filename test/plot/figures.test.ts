import { table } from 'arquero'
import { describe, expect, it, test } from 'vitest'
import { comparison } from '../../src/plot/comparison.js'
import type { Figure } from '../../src/plot/figure.js'
import { lossCurve } from '../../src/plot/loss-curve.js'
import { figureToPng, figureToSvg, svgToPng } from '../../src/plot/static-figure.js'
import { trainingCurves } from '../../src/plot/training-curves.js'

interface Bar {
  name: string
  x: [string[], string[]]
  y: number[]
  error_y: { array: number[]; arrayminus: number[] }
}

const results = table({
  method: ['before', 'before', 'before', 'after', 'after'],
  dataset: ['mini-nq', 'mini-popqa', 'average', 'mini-nq', 'mini-popqa'],
  domain: ['in-domain', 'out-of-domain', 'all', 'in-domain', 'out-of-domain'],
  em: [0.5, 0.25, 0.375, 0.9, 0.4],
  emLow: [0.4, 0.2, 0.3, 0.8, 0.3],
  emHigh: [0.6, 0.4, 0.5, 0.95, 0.6],
})
const curves = trainingCurves(
  table({
    update: [1, 2, 3],
    reward: [0.1, 0.4, 0.5],
    em: [0.1, 0.3, 0.4],
    validationEm: [null, null, 0.6],
    noiseThreshold: [0, 0.1, 0.3],
    searchesPerQuestion: [1, 1.5, 2],
    kl: [0, 0.01, 0.02],
  }),
)

describe('comparison', () => {
  it('has a bar for each method and set with the interval of the table, and none for averages', () => {
    const labels = { 'mini-nq': 'nq', 'mini-popqa': 'popqa' }
    const bars = comparison(results, { labels }).data as unknown as Bar[]
    expect(bars.map((bar) => bar.name)).toEqual(['before', 'after'])
    expect(bars[1]!.x).toEqual([
      ['in-domain', 'out-of-domain'],
      ['nq', 'popqa'],
    ])
    expect(bars[1]!.y).toEqual([0.9, 0.4])
    expect(bars[1]!.error_y.array).toEqual([expect.closeTo(0.05), expect.closeTo(0.2)])
    expect(bars[1]!.error_y.arrayminus).toEqual([expect.closeTo(0.1), expect.closeTo(0.1)])
  })
})

test('a method with failed questions says so, in its name and at its bars', () => {
  const bars = comparison(results.assign(table({ n: [200, 200, 400, 200, 200], failed: [0, 0, 0, 3, 0] })))
    .data as unknown as (Bar & { hovertext?: string[] })[]
  expect(bars.map((bar) => bar.name)).toEqual(['before', 'after (3 failed)'])
  expect(bars[0]!.hovertext).toBeUndefined()
  expect(bars[1]!.hovertext).toEqual(['3 of 200 questions failed, counted as wrong', ''])
})

test('the loss of supervised steps is one line, with a gap where it was not finite', () => {
  const { data } = lossCurve([
    { step: 0, loss: 2 },
    { step: 1, loss: NaN },
    { step: 2, loss: 1 },
  ])
  expect(data).toMatchObject([{ mode: 'lines', x: [0, 1, 2], y: [2, null, 1] }])
})

describe('training curves', () => {
  it('has a trace for each measured column, each with all updates', () => {
    const traces = curves.data as { name: string; x: number[]; y: (number | null)[] }[]
    expect(traces.map((trace) => trace.name)).toEqual([
      'reward',
      'EM, training',
      'EM, validation',
      'noise threshold',
      'searches',
      'KL',
    ])
    for (const { x, y } of traces) {
      expect(x).toEqual([1, 2, 3])
      expect(y).toHaveLength(3)
      expect(y.every((value) => value === null || Number.isFinite(value))).toBe(true)
    }
  })

  it('leaves out a column that was never measured', () => {
    const none = trainingCurves(
      table({
        update: [1],
        reward: [0.1],
        em: [0.1],
        validationEm: [null],
        noiseThreshold: [0],
        searchesPerQuestion: [1],
        kl: [0],
      }),
    )
    expect(none.data.map((trace) => trace['name'])).not.toContain('EM, validation')
  })
})

test('training curves show values outside of [0, 1], and leave a gap where a number is none', () => {
  const figure = (validationEm: unknown[]): Figure =>
    trainingCurves(
      table({
        ...{ update: [1, 2], reward: [0.1, NaN], em: [0.1, 0.2], validationEm, noiseThreshold: [0, 0] },
        ...{ searchesPerQuestion: [1, Infinity], kl: [NaN, NaN] },
      }),
    )
  const wide = figure([87, 'none'])
  expect(wide.layout['yaxis']).not.toHaveProperty('range')
  expect(figure([0.5, 1]).layout['yaxis']).toHaveProperty('range', [0, 1])
  const of = (name: string): unknown => wide.data.find((trace) => trace['name'] === name)?.['y']
  expect(of('reward')).toEqual([0.1, null])
  expect(of('EM, validation')).toEqual([87, null])
  expect(of('searches')).toEqual([1, null])
  expect(of('KL')).toBeUndefined()
})

test('drawn without a browser: text and marks are in the SVG, the PNG has its size and is not blank', async () => {
  const figure = comparison(results)
  const svg = await figureToSvg(figure)
  for (const text of ['before', 'after', 'popqa', 'Exact match by question set']) expect(svg).toContain(text)
  expect(svg.match(/class="point"/g)!.length).toBe(4)
  expect(svg).not.toContain('NaN')
  const png = Buffer.from(await svgToPng(svg, 1))
  expect(png.subarray(1, 4).toString()).toBe('PNG')
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([900, figure.layout['height']])
  const { loadImage, createCanvas } = await import('@napi-rs/canvas')
  const image = await loadImage(png)
  const context = createCanvas(image.width, image.height).getContext('2d')
  context.drawImage(image, 0, 0)
  const { data } = context.getImageData(0, 0, image.width, image.height)
  const colours = new Set<string>()
  for (let i = 0; i < data.length; i += 4) if (data[i + 3]! === 255) colours.add(data.subarray(i, i + 3).join())
  // Both methods' bars, in their colours.
  expect(colours).toContain('0,114,178')
  expect(colours).toContain('230,159,0')
  expect((await figureToSvg(curves)).match(/class="js-line"/g)!.length).toBeGreaterThanOrEqual(5)
})

/** The colour of a pixel, from 0 to 255: red, green, blue. */
async function colourAt(png: Uint8Array, x: number, y: number): Promise<number[]> {
  const { loadImage, createCanvas } = await import('@napi-rs/canvas')
  const image = await loadImage(Buffer.from(png))
  const context = createCanvas(image.width, image.height).getContext('2d')
  context.drawImage(image, 0, 0)
  return [...context.getImageData(x, y, 1, 1).data.subarray(0, 3)]
}

describe('figures of other kinds', () => {
  const bar = (value: number): Figure => ({
    data: [{ type: 'bar', y: [value, 1] }],
    layout: { width: 200, height: 150, title: { text: `bar ${value}` } },
  })

  it('asked for at once are each their own', async () => {
    const svgs = await Promise.all([figureToSvg(bar(2)), figureToSvg(bar(3))])
    expect(svgs[0]).toContain('bar 2')
    expect(svgs[1]).toContain('bar 3')
  })

  it('that are heatmaps have sharp cells', async () => {
    const figure: Figure = {
      data: [
        {
          type: 'heatmap',
          z: [[0, 1]],
          colorscale: [
            [0, '#ff0000'],
            [1, '#0000ff'],
          ],
          showscale: false,
        },
      ],
      layout: {
        width: 200,
        height: 100,
        margin: { l: 0, r: 0, t: 0, b: 0 },
        xaxis: { visible: false },
        yaxis: { visible: false },
      },
    }
    const png = await figureToPng(figure)
    // Just left and right of the middle, at 1.5 pixels for one of the drawing.
    expect(await colourAt(png, 145, 75)).toEqual([255, 0, 0])
    expect(await colourAt(png, 155, 75)).toEqual([0, 0, 255])
  })

  it.each(['surface', 'scatter3d', 'scattergl', 'scattergeo', 'scattermap', 'choropleth'])(
    'that need a browser (%s) are named, and the next one is drawn',
    async (type) => {
      await expect(figureToSvg({ data: [{ type }], layout: {} })).rejects.toThrow(
        `figureToSvg: traces must be drawn without WebGL and maps, got ${type}; look at it in JupyterLab`,
      )
      expect(await figureToSvg(bar(4))).toContain('bar 4')
    },
  )
})
