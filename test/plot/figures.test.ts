import { table } from 'arquero'
import { describe, expect, it, test } from 'vitest'
import { comparison } from '../../src/plot/comparison.js'
import { figureToSvg, svgToPng } from '../../src/plot/static-figure.js'
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
    const bars = comparison(results).data as unknown as Bar[]
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

describe('training curves', () => {
  it('has a trace for each measured column, each with all updates', () => {
    const traces = curves.data as { name: string; x: number[]; y: (number | null)[] }[]
    expect(traces.map((trace) => trace.name)).toEqual([
      'reward (F1)',
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
