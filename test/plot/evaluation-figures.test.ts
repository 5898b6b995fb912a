import { describe, expect, it } from 'vitest'
import type { Figure } from '../../src/plot/figure.js'
import { comparison } from '../../src/plot/comparison.js'
import { noiseCurve } from '../../src/plot/noise-curve.js'
import { searchAccuracy } from '../../src/plot/search-accuracy.js'
import { simulatorSizes } from '../../src/plot/simulator-sizes.js'
import { figureToSvg } from '../../src/plot/static-figure.js'
import { transfer } from '../../src/plot/transfer.js'
import type { Score } from '../../src/schema/score.js'
import { comparisonTable } from '../../src/table/comparison-table.js'
import { paperTable } from '../../src/table/paper-table.js'

interface Trace {
  name: string
  x: (number | string)[]
  y: (number | string)[]
  marker: { size: number[] }
  hovertext: string[]
  error_y: { array: number[]; arrayminus: number[] }
  line: { dash: string }
}
const tracesOf = ({ data }: Figure): Trace[] => data as unknown as Trace[]

const scores = (method: string, dataset: string, right: readonly number[]): Score[] =>
  right.map((em, i) => ({
    ...{ method, dataset, domain: dataset === 'nq' ? 'in-domain' : 'out-of-domain', questionId: `${dataset}-${i}` },
    ...{ answer: 'x', em, coverEm: em, f1: em, searches: 1 + (i % 2), answered: 1 },
  }))

it('bars of more methods than there are colours differ by pattern, and their legend stands below the title', () => {
  const one = paperTable('main').filter('d => d.model === "Qwen-2.5-7B"')
  const { data, layout } = comparison(one) as unknown as {
    data: { name: string; marker: { color: string; pattern?: { shape: string } } }[]
    layout: { margin: { t: number }; yaxis: { title: { text: string } } }
  }
  expect(data.length).toBeGreaterThan(7)
  const looks = data.map(({ marker }) => `${marker.color} ${marker.pattern?.shape ?? ''}`)
  expect(new Set(looks).size).toBe(data.length)
  // A row of a legend takes 20 pixels.
  const few = comparison(one.filter('d => d.method === "CoT"')) as unknown as { layout: { margin: { t: number } } }
  expect(layout.margin.t - few.layout.margin.t).toBeGreaterThanOrEqual(20)
  expect(layout.yaxis.title.text).toBe('exact match')
})

describe('noise', () => {
  const two = (right: readonly number[]): Score[] => [
    ...scores('p', 'nq', right),
    ...scores('p', 'popqa', [0, 0, 0, 1]),
  ]

  it('is a line for each checkpoint, in order of noise: the mean over sets, and its searches', async () => {
    const figure = noiseCurve({
      trained: [
        { noise: 1, scores: two([0, 0, 0, 0]) },
        { noise: 0, scores: two([1, 1, 1, 0]) },
      ],
      one: [{ noise: 0.5, scores: scores('p', 'nq', [1, 0]) }],
    })
    const [em, searches, one] = tracesOf(figure)
    expect(em).toMatchObject({ name: 'trained', x: [0, 1], y: [0.5, 0.125] })
    expect(searches!.y).toEqual([1.5, 1.5])
    expect(one).toMatchObject({ name: 'one', x: [0.5], y: [0.5] })
    expect(await figureToSvg(figure)).toContain('share of noisy searches')
  })

  it('needs scores of one method, and a share', () => {
    const wrong = [{ noise: 0, scores: [...scores('a', 'nq', [1]), ...scores('b', 'nq', [1])] }]
    expect(() => noiseCurve({ x: wrong })).toThrow("scores of 'x' must be of one method, got a, b")
    expect(() => noiseCurve({ x: [{ noise: 50, scores: scores('a', 'nq', [1]) }] })).toThrow(
      'noiseCurve: runs.x.0.noise',
    )
    expect(() => noiseCurve({})).toThrow('at least one checkpoint')
  })
})

it('searches against accuracy has the sets of a method as points, and its average with an interval', async () => {
  const all = [...scores('a', 'nq', [1, 1]), ...scores('a', 'popqa', [1, 0]), ...scores('b', 'nq', [0, 0, 1])]
  const figure = searchAccuracy(comparisonTable(all), { labels: { popqa: 'Pop' } })
  const [sets, average, , only] = tracesOf(figure)
  expect(sets).toMatchObject({ x: [1.5, 1.5], y: [1, 0.5], hovertext: ['a, nq', 'a, Pop'] })
  expect(average).toMatchObject({ name: 'a', x: [1.5], y: [0.75] })
  expect(average!.error_y.array[0]).toBeGreaterThan(0)
  expect(only!.y[0]).toBeCloseTo(1 / 3)
  expect(await figureToSvg(figure)).toContain('searches per question')
})

describe('transfer', () => {
  const simulated = [...scores('p', 'nq', [1, 1, 0, 0]), ...scores('p', 'popqa', [1])]
  const real = [...scores('p', 'popqa', [1]), ...scores('p', 'nq', [1, 0, 1, 0])]

  it('pairs the questions, whatever their order', async () => {
    const figure = transfer(simulated, real)
    const [circles, both, simulator, engine, neither] = tracesOf(figure)
    expect(circles!.hovertext.sort()).toEqual(['1 question', '1 question', '1 question', '2 questions'])
    expect([both, simulator, engine, neither].map((bar) => bar!.x)).toEqual([
      [0.25, 1],
      [0.25, 0],
      [0.25, 0],
      [0.25, 0],
    ])
    expect(both!.y).toEqual(['nq', 'popqa'])
    expect(JSON.stringify(figure.layout['title'])).toContain('EM +0.000 (−')
    expect(await figureToSvg(figure)).toContain('right with the simulator alone')
  })

  it('needs the same questions', () => {
    expect(() => transfer(simulated, real.slice(1))).toThrow('must have answered the same questions')
  })
})

describe('simulators by size', () => {
  it("are the paper's: a line for each kind, level where there is no size", async () => {
    const figure = simulatorSizes(paperTable('simulator'))
    const traces = tracesOf(figure)
    expect(traces.map(({ name }) => name)).toEqual(['Base model (no size)', 'Prompt', 'SFT', 'Google (no size)'])
    expect(traces[2]!.x).toEqual([3, 7, 14])
    expect(traces[2]!.y.map((em) => Number(em).toFixed(4))).toEqual(['0.3047', '0.3353', '0.3447'])
    expect(traces[3]!.line.dash).toBe('dash')
    expect(await figureToSvg(figure)).toContain('billions')
  })

  it('may be of one set, and need a size', () => {
    expect(tracesOf(simulatorSizes(paperTable('simulator'), { dataset: 'nq' }))[2]!.y).toEqual([0.37, 0.404, 0.43])
    expect(() => simulatorSizes(paperTable('simulator'), { dataset: 'squad' })).toThrow('dataset must be one of nq')
    expect(() => simulatorSizes(paperTable('main'))).toThrow('must be named by kind and size, such as SFT-14B')
  })
})
