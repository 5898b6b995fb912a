// Several runs in one figure: a colour for each name, several seeds as a mean with a band.
import { describe, expect, it, test } from 'vitest'
import { lossCurve } from '../../src/plot/loss-curve.js'
import { figureToSvg } from '../../src/plot/static-figure.js'
import { seedBand } from '../../src/plot/seed-band.js'
import { trainingCurves } from '../../src/plot/training-curves.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'
import { studentInterval } from '../../src/statistics/mean-interval.js'
import { trainingTable } from '../../src/table/training-table.js'

interface Trace {
  name: string
  mode: string
  x: number[]
  y: (number | null)[]
  yaxis: string
  showlegend: boolean
  fill?: string
  line?: { color: string }
  error_y?: { array: number[] }
}

/** A run with these rewards. */
const run = (rewards: readonly number[], more: Partial<UpdateRecord> = {}): UpdateRecord[] =>
  rewards.map((reward, i) => ({
    ...{ update: i + 1, reward, em: reward / 2, noiseThreshold: i / 10, searchesPerQuestion: 1, kl: 0.01, loss: 0 },
    ...{ trajectories: 8, failed: 0, clipFraction: 0, gradNorm: 1, learningRate: 1e-4, zeroVarianceGroups: 0 },
    ...{ answered: 1, tokensPerTrajectory: 9, rolloutSeconds: 1, updateSeconds: 1, compileSeconds: 0 },
    ...(i === rewards.length - 1 && { metrics: { validationEm: reward } }),
    ...more,
  }))

const traces = (...args: Parameters<typeof trainingCurves>): Trace[] =>
  trainingCurves(...args).data as unknown as Trace[]
const headings = (...args: Parameters<typeof trainingCurves>): string[] =>
  (trainingCurves(...args).layout['annotations'] as { text: string }[]).map(({ text }) => text)

describe('training curves of several runs', () => {
  const runs = { grpo: [run([0, 0.5, 0.8]), run([0.2, 0.7])], ppo: trainingTable(run([0.1, 0.2, 0.3])) }

  it('have one colour and one legend entry for each name', () => {
    const all = traces(runs)
    expect(all.filter(({ showlegend }) => showlegend).map(({ name }) => name)).toEqual([
      'grpo (mean of 2 seeds, min–max)',
      'ppo',
    ])
    const inReward = all.filter(({ yaxis }) => yaxis === 'y')
    expect(inReward.map(({ fill }) => fill)).toEqual(['toself', undefined, undefined])
    expect(new Set(inReward.map(({ line }) => line!.color)).size).toBe(2)
  })

  it('seeds are their mean, and where one has ended, the others; the band is their range', () => {
    const [band, mean] = traces(runs) as [Trace, Trace]
    expect(mean.x).toEqual([1, 2, 3])
    expect(mean.y).toEqual([0.1, 0.6, 0.8])
    expect(band.x).toEqual([1, 2, 3, 3, 2, 1])
    expect(band.y).toEqual([0.2, 0.7, 0.8, 0.8, 0.5, 0])
  })

  it('validation is points with error bars, and equal noise one line', () => {
    const all = traces(runs)
    const points = all.filter(({ mode, yaxis }) => mode === 'markers' && yaxis === 'y2')
    expect(points.map(({ x }) => x)).toEqual([[2, 3], [3]])
    expect(points[0]!.error_y!.array).toEqual([0, 0])
    const noise = all.filter(({ yaxis }) => yaxis === 'y6')
    expect(noise).toMatchObject([{ name: 'all runs', y: [0, 0.1, 0.2] }])
    const other = traces({ a: run([0, 1]), b: run([0, 1], { noiseThreshold: 0.5 }) })
    expect(other.filter(({ yaxis }) => yaxis === 'y6').map(({ name }) => name)).toEqual(['a', 'b'])
    expect(headings({ a: run([0, 1], { noiseThreshold: 0 }) })).not.toContain('noise threshold, by update')
  })

  it('the reward is called what it is', () => {
    expect(headings(runs)[0]).toBe('reward, by update')
    expect(headings(runs, { reward: 'F1' })[0]).toBe('reward (F1), by update')
    expect(headings({ a: run([0, 1], { rewardParts: { f1: 1, format: 0 } }) })[0]).toBe(
      'reward (f1 + format), by update',
    )
    const saved = (reward: string) => ({ records: run([0, 1]), manifest: { reward } })
    expect(headings({ a: saved('F1') })[0]).toBe('reward (F1), by update')
    expect(headings({ a: saved('{"em":1}') })[0]).toBe('reward (em), by update')
    expect(headings({ a: saved('mine, source 0123456789ab') })[0]).toBe('reward (mine), by update')
    // Runs of different rewards share an axis that names none.
    expect(headings({ a: saved('F1'), b: saved('{"em":1}') })[0]).toBe('reward, by update')
    expect(traces(saved('F1'))[0]!.name).toBe('reward (F1)')
  })

  it('take a run in any form, alone or by name', () => {
    const records = run([0, 0.5])
    for (const form of [records, trainingTable(records), { records }])
      expect(traces(form).map(({ name }) => name)).toContain('EM, training')
    for (const form of [records, trainingTable(records), { records, manifest: {} }, [records]])
      expect(traces({ a: form })[0]!.y).toHaveLength(2)
  })

  it('have gaps where a run diverged, and nothing that is no number', () => {
    const all = traces({ a: run([0.1, NaN, 0.3]), b: [run([NaN, NaN]), run([NaN, 0.2])] })
    const inReward = all.filter(({ yaxis }) => yaxis === 'y')
    expect(inReward[0]!.y).toEqual([0.1, null, 0.3])
    for (const { y } of all) expect(y.every((value) => value === null || Number.isFinite(value))).toBe(true)
  })

  it('say what is no run', () => {
    expect(() => trainingCurves({})).toThrow('trainingCurves: there must be at least one run')
    expect(() => trainingCurves({ a: 5 } as never)).toThrow()
    expect(() => trainingCurves({ a: [[5]] } as never)).toThrow("trainingCurves: 'a' must be a run")
    expect(() => trainingCurves(run([1]), { band: 'sd' } as never)).toThrow('trainingCurves: band must be one of')
  })

  it('are drawn without a browser, with more runs than colours', async () => {
    const many = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`run ${i}`, run([0, i / 20])]))
    const svg = await figureToSvg(trainingCurves(many))
    expect(svg).toContain('run 15')
    expect(svg).not.toContain('NaN')
    const lines = traces(many).filter(({ yaxis }) => yaxis === 'y')
    expect(new Set(lines.map(({ line }) => JSON.stringify(line))).size).toBe(16)
  })
})

test('the interval of a mean is that of Student', () => {
  // scipy.stats.t.interval(0.95, 2, mean, sem)
  expect(studentInterval([1, 2, 4]).low).toBeCloseTo(-1.4612497, 6)
  expect(studentInterval([1, 2, 4]).high).toBeCloseTo(6.1279164, 6)
  expect(studentInterval([3])).toEqual({ low: 3, high: 3 })
  const [point] = seedBand([new Map([[1, 1]]), new Map([[1, 2]]), new Map([[1, 4]])], 'interval')
  expect(point).toMatchObject({ x: 1, mean: 7 / 3, high: expect.closeTo(6.1279164, 6) as number })
})

describe('loss curves', () => {
  const steps = [
    { step: 1, loss: 3 },
    { step: 2, loss: 2, heldOutLoss: 2.5 },
    { step: 3, loss: NaN },
    { step: 4, loss: 1, heldOutLoss: 2 },
  ]

  it('have the held-out loss as a second line, where it was measured', () => {
    const curves = lossCurve(steps).data as unknown as Trace[]
    expect(curves).toMatchObject([
      { name: 'training', x: [1, 2, 3, 4], y: [3, 2, null, 1], showlegend: true },
      { name: 'held out', x: [2, 4], y: [2.5, 2] },
    ])
    expect(lossCurve(steps.slice(0, 1)).data).toMatchObject([{ mode: 'markers', showlegend: false }])
  })

  it('of several runs have a colour for each, dots for what was held out, and a band over seeds', () => {
    const curves = lossCurve({ full: [steps, steps.slice(0, 2)], lora: steps.slice(0, 1) }).data as unknown as Trace[]
    expect(curves.map(({ name, fill }) => [name, fill])).toEqual([
      ['full (mean of 2 seeds, min–max)', 'toself'],
      ['full (mean of 2 seeds, min–max)', undefined],
      ['full, held out', 'toself'],
      ['full, held out', undefined],
      ['lora', undefined],
    ])
    expect(curves[1]).toMatchObject({ x: [1, 2, 3, 4], y: [3, 2, null, 1] })
    expect(curves[3]!.line).toMatchObject({ color: curves[1]!.line!.color, dash: 'dot' })
    expect(() => lossCurve({ a: [] as never, b: [3] as never })).toThrow("lossCurve: 'b' must be a run")
  })
})
